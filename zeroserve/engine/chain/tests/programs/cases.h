/* Cases: request entries of which one runs, that which the header `case` names. */
#include <zeroserve.h>

/* A text of this program, for helpers that take pointer and length. */
#define T(s) (s), (sizeof(s) - 1)

__attribute__((noinline)) static int wanted(const char *name, zs_u64 len) {
  char asked[64];
  return zs_req_header(T("case"), asked, sizeof(asked)) == (zs_s64)len && zs_memcmp(asked, name, len) == 0;
}

#define CASE(name)                                    \
  static ZS_INLINE void case_##name(void);            \
  ZS_ENTRY zs_u64 name(void) {                        \
    if (wanted(T(#name))) case_##name();              \
    return 0;                                         \
  }                                                   \
  static ZS_INLINE void case_##name(void)

/* One line: what a helper returned, and what it wrote. */
__attribute__((noinline)) static void show(zs_s64 result, const char *text) {
  char line[480];
  char *at = line;
  zs_u64 number = result < 0 ? (zs_u64)-result : (zs_u64)result;
  if (result < 0) *at++ = '-';
  at += zs_utoa10((unsigned int)number, at, 16);
  if (*text != 0) *at++ = ' ';
  for (int i = 0; i < 400 && text[i] != 0; i++) *at++ = text[i];
  *at++ = '\n';
  zs_log(line, at - line);
}

static ZS_INLINE ZS_MAYBE_UNUSED void number(zs_s64 result) { show(result, ""); }

/* `out` is a char array, filled by `call`. */
#define SHOW(out, call)        \
  do {                         \
    zs_s64 result_ = (call);   \
    show(result_, (out));      \
  } while (0)
