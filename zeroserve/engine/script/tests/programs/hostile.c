/* Programs that mean harm. */
#include <zeroserve.h>

#define WILD(name) ZS_SECTION("zeroserve.call." #name) zs_u64 wild_##name(const zs_u64 *input)

/* Input: an address. Each width, each direction; the result is what was read. */
WILD(read8) { return *(volatile zs_u8 *)*input; }
WILD(read16) { return *(volatile zs_u16 *)*input; }
WILD(read32) { return *(volatile zs_u32 *)*input; }
WILD(read64) { return *(volatile zs_u64 *)*input; }
WILD(write8) { return *(volatile zs_u8 *)*input = 0xee; }
WILD(write16) { return *(volatile zs_u16 *)*input = 0xeeee; }
WILD(write32) { return *(volatile zs_u32 *)*input = 0xeeeeeeee; }
WILD(write64) { return *(volatile zs_u64 *)*input = 0xeeeeeeeeeeeeeeee; }
WILD(add32) { return __sync_fetch_and_add((zs_u32 *)*input, 1); }
WILD(add64) { return __sync_fetch_and_add((zs_u64 *)*input, 1); }

/* Writes all over its memory, then returns. */
ZS_ENTRY zs_u64 flood(void) {
  for (zs_u64 at = 0; at < 1 << 20; at += 8) *(volatile zs_u64 *)at = 0xdeadbeefdeadbeef;
  return 1;
}

/* Input: a pointer and a length for helpers. */
WILD(pass_in) { return (zs_u64)zs_log((const char *)input[0], input[1]); }
WILD(pass_out) { return (zs_u64)zs_req_path((char *)input[0], input[1]); }
WILD(pass_both) { return zs_memcpy((void *)input[0], (const void *)input[1], input[2]) != 0; }
WILD(overlap) { return (zs_u64)zs_sha256((void *)input, 16, (void *)input, 32); }

WILD(divide) { return input[0] / input[1] + input[0] % input[1]; }

/* Reads its frame before it writes it: nobody else's bytes may be there. */
ZS_ENTRY zs_u64 leftovers(void) {
  volatile zs_u64 frame[512];
  zs_u64 sum = 0;
  for (int i = 0; i < 512; i++) sum |= frame[i];
  for (int i = 0; i < 512; i++) frame[i] = 0x5ec4e75ec4e7;
  return sum;
}
