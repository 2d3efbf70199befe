/* Nine functions deep: one too many. */
#include <zeroserve.h>

#define LEVEL(name, next) \
  __attribute__((noinline)) static zs_u64 name(zs_u64 n) { return next(n + 1) * 3; }

__attribute__((noinline)) static zs_u64 h(zs_u64 n) { return n ^ 5; }
LEVEL(g, h) LEVEL(f, g) LEVEL(e, f) LEVEL(d, e) LEVEL(c, d) LEVEL(b, c) LEVEL(a, b)

ZS_ENTRY zs_u64 entry(void) { return a(zs_now_ms()); }
