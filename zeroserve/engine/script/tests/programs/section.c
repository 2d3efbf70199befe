#include <zeroserve.h>

ZS_SECTION("xdp") zs_u64 entry(void) { return 0; }
