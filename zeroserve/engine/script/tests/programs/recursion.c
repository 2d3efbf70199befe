#include <zeroserve.h>

__attribute__((noinline)) static zs_u64 down(zs_u64 n) {
  volatile char frame[100];
  frame[n % 100] = 1;
  if (n == 0) return 0;
  zs_u64 below = down(n - 1);
  frame[(n + below) % 100] = (char)below;
  return below * n + (zs_u64)frame[3];
}

ZS_ENTRY zs_u64 entry(void) { return down(zs_now_ms()); }
