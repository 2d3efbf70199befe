#include <zeroserve.h>

extern zs_s64 zs_of_another_server(void);

ZS_ENTRY zs_u64 entry(void) { return (zs_u64)zs_of_another_server(); }
