/* Loops for measurements and for preemption. */
#include <zeroserve.h>

/* Not static: the compiler must not know that they are zero. */
unsigned char from[1024], to[1024];

/* Input: a number of rounds. */
ZS_SECTION("zeroserve.call.bytes") zs_u64 bytes(const zs_u64 *input) {
  for (zs_u64 round = 0; round < *input; round++) {
    for (int i = 0; i < 1024; i++) {
      to[i] = from[i];
      __asm__ volatile("" ::: "memory");
    }
  }
  return (zs_u64)to[5];
}

ZS_SECTION("zeroserve.call.sums") zs_u64 sums(const zs_u64 *input) {
  zs_u64 sum = 0;
  for (zs_u64 round = 0; round < *input; round++) {
    for (int i = 0; i < 1024; i++) {
      sum += from[i];
      __asm__ volatile("" : "+r"(sum));
    }
  }
  return sum;
}

ZS_SECTION("zeroserve.call.hashes") zs_u64 hashes(const zs_u64 *input) {
  zs_u64 hash = 0xcbf29ce484222325;
  for (zs_u64 round = 0; round < *input; round++) {
    for (int i = 0; i < 1024; i++) hash = (hash ^ from[i]) * 0x100000001b3;
    __asm__ volatile("" ::: "memory");
  }
  return hash;
}

ZS_ENTRY zs_u64 spin(void) {
  for (;;) __asm__ volatile("" ::: "memory");
}

ZS_CALL_ENTRY(waits, input) { return (zs_s64)zs_now_ms() + input; }

ZS_CALL_ENTRY(nothing, input) { return input; }

/* For measurements: three calls of cheap helpers. */
ZS_ENTRY zs_u64 three_helpers(void) {
  char path[64];
  zs_s64 length = zs_req_path(path, sizeof(path));
  char peer[64];
  length += zs_req_peer(peer, sizeof(peer));
  return (zs_u64)length + zs_now_ms();
}

ZS_CALL_ENTRY(three_times, input) { return (zs_s64)(zs_now_ms() + zs_now_ms() + zs_now_ms()) + input; }
