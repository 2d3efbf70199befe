/* zeroserve.h: what a script can use. Compile to eBPF; there is no C library.
 *
 *     #include <zeroserve.h>
 *
 *     ZS_ENTRY
 *     zs_u64 entry(void) {
 *       zs_meta_set(ZS_STR("zs.response.header.x-hello"), ZS_STR("world"));
 *       return 0;
 *     }
 *
 * Conventions, unless a function says otherwise:
 *   - Text that goes in is a pointer and a length in bytes, UTF-8, no NUL needed: ZS_STR("...") gives both.
 *   - Text that comes out goes to (out, out_len), cut to fit and ended by a NUL. The result is its length; a result
 *     of out_len or more means that it was cut, and is never more than out_len. With out_len 0 nothing is written
 *     and the result is the length it would have. A missing value is "" and 0.
 *   - Bytes that come out have no NUL; the result is their number.
 *   - A handle stands for a place in a JSON document. Valid ones begin at 1; a script holds at most 32.
 *   - "aborts" means: the script ends at that call, the request gets 500, the log says why. Every function
 *     aborts when a pointer and length lie outside of the script's memory, when text is not UTF-8, when a
 *     handle is not alive, when the request's scripts hold more than 256 KB (a setting), and when memory that
 *     is written overlaps other memory of the same call.
 */
#ifndef ZEROSERVE_H
#define ZEROSERVE_H

/* ---- types ------------------------------------------------------------------------------------------------ */

typedef unsigned long long zs_u64;
typedef long long zs_s64;
typedef unsigned int zs_u32;
typedef int zs_s32;
typedef unsigned short zs_u16;
typedef short zs_s16;
typedef unsigned char zs_u8;
typedef signed char zs_s8;

/* The standard names, so that <stdint.h> and <stddef.h> are not needed (and do no harm). */
typedef __UINT64_TYPE__ uint64_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __INT8_TYPE__ int8_t;
typedef unsigned long size_t;
typedef long ssize_t;

#ifndef NULL
#define NULL ((void *)0)
#endif

_Static_assert(sizeof(zs_u64) == 8 && sizeof(size_t) == 8 && sizeof(void *) == 8, "compile for eBPF");

/* ---- entries ---------------------------------------------------------------------------------------------- */

#define ZS_SECTION(name) __attribute__((section(name), used))
#define ZS_INLINE inline __attribute__((always_inline))
#define ZS_MAYBE_UNUSED __attribute__((unused))

/* A function that runs on every request: `ZS_ENTRY zs_u64 entry(void) { ... }`. Its result is ignored. */
#define ZS_ENTRY ZS_SECTION("zeroserve.request")

/* A function that other scripts reach with zs_call and that response hooks name:
 *     ZS_CALL_ENTRY(greet, input) { ...; return some_handle; }
 * `input` is the handle of the argument, by value. Return a handle, or a negative number for "no". */
#define ZS_CALL_ENTRY(name, input)                                                                       \
  static ZS_INLINE zs_s64 zs_call_body_##name(zs_s64 input);                                             \
  ZS_SECTION("zeroserve.call." #name)                                                                    \
  zs_s64 zs_call_entry_##name(const zs_s64 *zs_call_input) { return zs_call_body_##name(*zs_call_input); } \
  static ZS_INLINE zs_s64 zs_call_body_##name(zs_s64 input)

/* Entries of other servers with this header. They compile; this server refuses them when it loads the script. */
#define ZS_INIT_ENTRY(name) ZS_SECTION("zeroserve.init." #name)
#define ZS_TLS_ENTRY ZS_SECTION("zeroserve.tls")
#define ZS_TLS_REQUEST_ENTRY ZS_SECTION("zeroserve.tls.request")

/* ---- text ------------------------------------------------------------------------------------------------- */

/* Two arguments: the text and its length. `s` is evaluated twice. */
#define ZS_STR(s) (s), zs_strlen((s))
/* As above; the length counts the NUL. */
#define ZS_STR_WITH_NULL(s) (s), (zs_strlen((s)) + 1)

#define ZS_MIN(a, b) ((a) < (b) ? (a) : (b))
#define ZS_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Bytes before the NUL. */
static ZS_INLINE ZS_MAYBE_UNUSED size_t zs_strlen(const char *s) {
  size_t n = 0;
  while (s[n] != 0) n++;
  return n;
}

/* Copies with the NUL, returns d. d must be large enough. */
static ZS_INLINE ZS_MAYBE_UNUSED char *zs_strcpy(char *d, const char *s) {
  char *to = d;
  while ((*to++ = *s++) != 0) {
  }
  return d;
}

/* Copies with the NUL, returns a pointer to the NUL written: handy for appending. */
static ZS_INLINE ZS_MAYBE_UNUSED char *zs_stpcpy(char *d, const char *s) {
  while ((*d = *s++) != 0) d++;
  return d;
}

/* Copies at most n bytes and fills up with NUL to n. No NUL when s has n bytes or more. */
static ZS_INLINE ZS_MAYBE_UNUSED char *zs_strncpy(char *d, const char *s, size_t n) {
  size_t i = 0;
  for (; i < n && s[i] != 0; i++) d[i] = s[i];
  for (; i < n; i++) d[i] = 0;
  return d;
}

/* 0 when equal, else the difference of the first bytes that differ, as unsigned. */
static ZS_INLINE ZS_MAYBE_UNUSED int zs_strcmp(const char *a, const char *b) {
  while (*a != 0 && *a == *b) a++, b++;
  return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

/* As zs_strcmp, over n bytes at most. */
static ZS_INLINE ZS_MAYBE_UNUSED int zs_strncmp(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int difference = (int)(unsigned char)a[i] - (int)(unsigned char)b[i];
    if (difference != 0 || a[i] == 0) return difference;
  }
  return 0;
}

/* Last place of a byte in s (c may be 0: the end), or NULL. */
static ZS_INLINE ZS_MAYBE_UNUSED char *zs_strrchr(const char *s, int c) {
  const char *found = NULL;
  for (;; s++) {
    if (*s == (char)c) found = s;
    if (*s == 0) return (char *)found;
  }
}

/* Writes a number in decimal, with a NUL. Returns its digits, or -1 when out_size is less than digits + 1 or than 2. */
static ZS_INLINE ZS_MAYBE_UNUSED int zs_utoa10(unsigned int v, char *out, size_t out_size) {
  unsigned int rest = v;
  size_t digits = 1;
  while (rest >= 10) rest /= 10, digits++;
  if (out_size < 2 || out_size < digits + 1) return -1;
  out[digits] = 0;
  for (size_t i = digits; i > 0; i--) {
    out[i - 1] = (char)('0' + v % 10);
    v /= 10;
  }
  return (int)digits;
}

/* ---- numbers ---------------------------------------------------------------------------------------------- */

/* zs_base64_encode, zs_base64_decode_in_place */
#define ZS_BASE64_STANDARD 0
#define ZS_BASE64_STANDARD_NO_PAD 1
#define ZS_BASE64_URL 2
#define ZS_BASE64_URL_NO_PAD 3

/* zs_hex_encode */
#define ZS_HEX_LOWERCASE 0
#define ZS_HEX_UPPERCASE 1

/* zs_json_type */
#define ZS_JSON_NULL 0
#define ZS_JSON_BOOL 1
#define ZS_JSON_NUMBER 2
#define ZS_JSON_STRING 3
#define ZS_JSON_ARRAY 4
#define ZS_JSON_OBJECT 5

/* zs_rate_limit */
#define ZS_RATE_LIMIT_ALLOWED 0
#define ZS_RATE_LIMIT_EXCEEDED_SECOND 1
#define ZS_RATE_LIMIT_EXCEEDED_MINUTE 2
#define ZS_RATE_LIMIT_EXCEEDED_HOUR 3
#define ZS_RATE_LIMIT_EXCEEDED_BUCKET_LIMIT 4

/* What zs_aws_v4_authorization_header and zs_aws_v4_presigned_url sign. */
typedef struct zs_aws_v4_sign_params {
  const void *access_key; /* at most 256 bytes */
  zs_u64 access_key_len;
  const void *secret_key; /* at most 256 bytes */
  zs_u64 secret_key_len;
  const void *region; /* at most 64 bytes, as service and method */
  zs_u64 region_len;
  const void *service;
  zs_u64 service_len;
  const void *method;
  zs_u64 method_len;
  const void *uri; /* path and query as they go out, at most 1024 bytes */
  zs_u64 uri_len;
  zs_u64 headers_json; /* handle of an object with the headers to sign, 0 for none */
  const void *body_hash; /* SHA-256 in hex, or UNSIGNED-PAYLOAD; not used for URLs */
  zs_u64 body_hash_len;
  zs_s64 timestamp_ms; /* Unix time, as from zs_now_ms */
  void *out;
  zs_u64 out_len;
} zs_aws_v4_sign_params;

_Static_assert(sizeof(zs_aws_v4_sign_params) == 144, "18 fields of 8 bytes");
