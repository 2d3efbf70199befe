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

/* ---- memory ------------------------------------------------------------------------------------------- */

/* Copies n bytes, returns d. The ranges may overlap; n may be 0. */
extern void *zs_memcpy(void *d, const void *s, size_t n);

/* 0 when equal, else the difference of the first bytes that differ, as unsigned. Looks at all n bytes
 * whatever they are: good for comparing secrets. */
extern int zs_memcmp(const void *a, const void *b, size_t n);

/* Sets n bytes to c, returns d. n may be 0. */
extern void *zs_memset(void *d, int c, size_t n);

/* As zs_memcpy: compilers call it for large copies. */
extern void *memcpy(void *d, const void *s, size_t n);

/* As zs_memset: compilers call it for large fills. */
extern void *memset(void *d, int c, size_t n);

/* ---- log, time, environment --------------------------------------------------------------------------- */

/* Writes to the log, one line for each newline in msg; what is left is written when the script ends or after
 * 512 bytes. Bytes other than printable ASCII and tab become `?`. Returns 0. */
extern zs_s64 zs_log(const char *msg, zs_u64 msg_len);

/* Unix time in milliseconds. */
extern zs_u64 zs_now_ms(void);

/* A variable of the server's environment. Spaces around the name don't count. */
extern zs_s64 zs_env_get(const char *name, zs_u64 name_len, char *out, zs_u64 out_len);

/* The server's version. */
extern zs_s64 zs_version(char *out, zs_u64 out_len);

/* ---- the request -------------------------------------------------------------------------------------- */

/* The method, as sent. */
extern zs_s64 zs_req_method(char *out, zs_u64 out_len);

/* The path without the query, still percent-encoded; empty, `.` and `..` segments are resolved, a slash at
 * the end stays. */
extern zs_s64 zs_req_path(char *out, zs_u64 out_len);

/* The path, and `?query` if there is one. */
extern zs_s64 zs_req_uri(char *out, zs_u64 out_len);

/* The query as sent, without `?`. */
extern zs_s64 zs_req_query(char *out, zs_u64 out_len);

/* The first parameter of this name, form-decoded (`+` is a space). */
extern zs_s64 zs_req_query_param(const char *name, zs_u64 name_len, char *out, zs_u64 out_len);

/* `http` or `https`: this connection's. */
extern zs_s64 zs_req_scheme(char *out, zs_u64 out_len);

/* The client as `ip:port` or `[ip]:port`. The port changes with each connection: no key for zs_rate_limit as
 * it is. */
extern zs_s64 zs_req_peer(char *out, zs_u64 out_len);

/* A request header, in any case. The last line of that name; all `cookie` lines joined by `; `. `host` is
 * there with HTTP/2, too. */
extern zs_s64 zs_req_header(const char *name, zs_u64 name_len, char *out, zs_u64 out_len);

/* A new object about the connection: `tls`, `alpn`, `sni.inner`, `sni.outer`, `ech`, `fingerprint.ja4`.
 * Returns its handle. */
extern zs_s64 zs_connection_info(void);

/* Waits for the whole body and parses it. Returns the handle of a new document; -1 when it is empty, no JSON,
 * or over the limit. */
extern zs_s64 zs_req_body_json(void);

/* Replaces path and query for later scripts, the file lookup and the proxied request. Relative URIs are
 * taken; scheme, host and fragment are dropped. Returns 0; aborts when it is empty or no URI. */
extern zs_s64 zs_req_set_uri(const char *uri, zs_u64 uri_len);

/* Replaces all lines of this name by one; an empty value removes them. Returns 0; aborts on a name or value
 * that HTTP does not allow. */
extern zs_s64 zs_req_set_header(const char *name, zs_u64 name_len, const char *value, zs_u64 value_len);

/* The decoded path that files are looked up by, with a leading slash. Empty when the path can't be read in
 * one way only. */
extern zs_s64 zs_req_normalized_path(char *out, zs_u64 out_len);

/* 1 when any parameter of this name has this value; the value `*` asks whether there is one at all. Else 0. */
extern zs_s64 zs_req_query_param_matches(const char *name, zs_u64 name_len, const char *value, zs_u64 value_len);

/* The major version of HTTP: 1 or 2. */
extern zs_s64 zs_req_proto_major(void);

/* The minor version of HTTP: 1 or 0. */
extern zs_s64 zs_req_proto_minor(void);

/* 1 when the connection is TLS, else 0. */
extern zs_s64 zs_req_is_tls(void);

/* 1 when the connection is TLS: no request comes before the handshake is done (0-RTT is off). Else 0. */
extern zs_s64 zs_req_tls_handshake_complete(void);

/* 1 when the client's address is in a JSON array of addresses and CIDR blocks, else 0; aborts on anything
 * else. */
extern zs_s64 zs_req_remote_ip_matches(const char *json, zs_u64 json_len);

/* The client's address without the port: a key for zs_rate_limit. IPv4 in IPv6 is shown as IPv4. */
extern zs_s64 zs_req_peer_ip(char *out, zs_u64 out_len);

/* The first cookie of this name (RFC 6265, section 4.2), without quotes around it. Names are compared with
 * case. */
extern zs_s64 zs_req_cookie(const char *name, zs_u64 name_len, char *out, zs_u64 out_len);

/* Waits for the whole body and copies what fits, without a NUL. Returns its length (also when cut, and with
 * an empty buffer), or -1 when it is over the limit. */
extern zs_s64 zs_req_body(void *out, zs_u64 out_len);

/* Lowers the limit for a body that scripts read; it can't be raised. Returns 1 when Content-Length is above
 * it, else 0. */
extern zs_s64 zs_req_body_limit(zs_u64 max_bytes);

/* Adds a line. Returns 0; aborts on a name or value that HTTP does not allow. */
extern zs_s64 zs_req_append_header(const char *name, zs_u64 name_len, const char *value, zs_u64 value_len);

/* Removes every line whose name matches: `Name`, `Beginning*`, `*End`, `*middle*` or `*`. Returns 0. */
extern zs_s64 zs_req_delete_header(const char *pattern, zs_u64 pattern_len);

/* Changes values: a JSON object with `name`, `replace`, and `search` (a text) or `search_regexp`. Returns 0;
 * aborts on anything else. */
extern zs_s64 zs_req_replace_header(const char *operation, zs_u64 operation_len);

/* Replaces the method. Returns 0; aborts on what is no token. */
extern zs_s64 zs_req_set_method(const char *method, zs_u64 method_len);

/* Changes the path: a JSON object with `strip_path_prefix`, `strip_path_suffix`, `uri_substring` (array of
 * `find`, `replace`, `limit`), `path_regexp` (array of `find`, `replace`). Returns 0; aborts on anything
 * else. */
extern zs_s64 zs_req_rewrite_uri(const char *operation, zs_u64 operation_len);

/* Changes the query: a JSON object with `rename`, `set`, `add`, `replace` (arrays of `key`, `val`, and for
 * `replace` `search_regexp` or `search`) and `delete` (array of names). Encodes it anew. Returns 0; aborts on
 * anything else. */
extern zs_s64 zs_req_rewrite_query(const char *operation, zs_u64 operation_len);

/* ---- metadata: a map for all scripts of a request ----------------------------------------------------- */

/* Sets a value. A key `zs.response.header.NAME` becomes a header of the response, whatever that is; other
 * keys fill `<zs-meta>KEY</zs-meta>` in HTML files. Spaces around the key don't count. Returns 0; aborts on
 * an empty key. */
extern zs_s64 zs_meta_set(const char *key, zs_u64 key_len, const char *value, zs_u64 value_len);

/* A value. */
extern zs_s64 zs_meta_get(const char *key, zs_u64 key_len, char *out, zs_u64 out_len);

/* ---- responses ---------------------------------------------------------------------------------------- */

/* Sets the response. The script runs on to its end, later scripts don't run; the last call counts. The type
 * is text/plain unless metadata says otherwise. Has no effect in a response hook. Returns 0; aborts on a
 * status over 65535. */
extern zs_s64 zs_respond(zs_u64 status, const void *body, zs_u64 body_len);

/* As zs_respond, with a JSON value and its content type. Returns 0. */
extern zs_s64 zs_json_respond(zs_u64 status, zs_u64 json);

/* Passes the request on to a server, as `http://host:port`, and the answer back. Returns 0; aborts on an
 * empty URL and when this script has a response already. */
extern zs_s64 zs_reverse_proxy(const char *url, zs_u64 url_len);

/* 1 when this script has set a response, else 0. */
extern zs_s64 zs_response_pending(void);

/* Forgets the response that this script has set. Returns 0. */
extern zs_s64 zs_response_clear(void);

/* Closes the connection without an answer when the script has returned (HTTP/2: resets the stream). Returns
 * 0. */
extern zs_s64 zs_abort(void);

/* Adds a line to the response, beside others of that name: for several Set-Cookie. Returns 0; aborts on a
 * name or value that HTTP does not allow. */
extern zs_s64 zs_res_add_header(const char *name, zs_u64 name_len, const char *value, zs_u64 value_len);

/* ---- response hooks ----------------------------------------------------------------------------------- */

/* Has a call target run once the response's head is known, before it is sent; an empty script name means this
 * script. The argument is copied. Hooks run in the order in which they were set. Returns 0. */
extern zs_s64 zs_res_hook(const char *script, zs_u64 script_len, const char *function, zs_u64 function_len, zs_s64 json);

/* Forgets all hooks of this request. Returns 0. */
extern zs_s64 zs_res_hooks_clear(void);

/* The response's status. */
extern zs_s64 zs_res_status(void);

/* Changes the status. Returns 0; aborts outside of 100 to 999. */
extern zs_s64 zs_res_set_status(zs_u64 status);

/* A header of the response; the last line of that name. */
extern zs_s64 zs_res_header(const char *name, zs_u64 name_len, char *out, zs_u64 out_len);

/* Changes values of the response's headers, as zs_req_replace_header does of the request's. */
extern zs_s64 zs_res_replace_header(const char *operation, zs_u64 operation_len);

/* Drops this response and runs the request's chain again, at most 8 times. Returns 0. */
extern zs_s64 zs_res_continue_request(void);

/* ---- JSON --------------------------------------------------------------------------------------------- */

/* Parses a document. Returns its handle, or -1. */
extern zs_s64 zs_json_parse(const void *data, zs_u64 data_len);

/* Parses a file of the site. The path has no slash in front. Returns the handle of a new document; -1 when it
 * is missing or no JSON. */
extern zs_s64 zs_load_static_json(const char *path, zs_u64 path_len);

/* `{"size", "etag", "mtime"}` of a file of the site. Returns a handle, or -1. */
extern zs_s64 zs_load_file_metadata(const char *path, zs_u64 path_len);

/* Makes `{}`. Returns its handle. */
extern zs_s64 zs_json_new_object(void);

/* Makes `[]`. Returns its handle. */
extern zs_s64 zs_json_new_array(void);

/* Copies a value into a document of its own. Returns its handle. */
extern zs_s64 zs_json_clone(zs_u64 json);

/* Moves a handle back to its document's root. Returns 0. */
extern zs_s64 zs_json_reset(zs_u64 json);

/* A member of an object. Returns a new handle; -1 when there is none or it is no object. */
extern zs_s64 zs_json_get(zs_u64 json, const char *key, zs_u64 key_len);

/* An element of an array. Returns a new handle; -1 when there is none or it is no array. */
extern zs_s64 zs_json_array_get(zs_u64 json, zs_u64 index);

/* The text of a string; -1 when it is none. */
extern zs_s64 zs_json_read_string(zs_u64 json, char *out, zs_u64 out_len);

/* Writes a whole number as zs_s64; out_len must be 8, else it aborts. Returns 8; -1 when it is no number, has
 * a fraction or does not fit. */
extern zs_s64 zs_json_read_i64(zs_u64 json, void *out, zs_u64 out_len);

/* Writes one byte, 0 or 1; out_len must be 1, else it aborts. Returns 1; -1 when it is no boolean. */
extern zs_s64 zs_json_read_bool(zs_u64 json, void *out, zs_u64 out_len);

/* Members, elements, or bytes of a string; -1 for other types. */
extern zs_s64 zs_json_len(zs_u64 json);

/* ZS_JSON_NULL and so on. */
extern zs_s64 zs_json_type(zs_u64 json);

/* Sets a member to a copy of a value. Returns 0; -1 when it is no object. */
extern zs_s64 zs_json_set(zs_u64 json, const char *key, zs_u64 key_len, zs_u64 value);

/* Removes a member. Returns 0; -1 when there is none or it is no object. */
extern zs_s64 zs_json_remove(zs_u64 json, const char *key, zs_u64 key_len);

/* Appends a copy of a value. Returns the new length; -1 when it is no array. */
extern zs_s64 zs_json_array_push(zs_u64 json, zs_u64 value);

/* Replaces an element by a copy of a value. Returns 0; -1 when there is none or it is no array. */
extern zs_s64 zs_json_array_set(zs_u64 json, zs_u64 index, zs_u64 value);

/* Replaces what the handle stands for by a string. Returns 0. */
extern zs_s64 zs_json_set_string(zs_u64 json, const char *value, zs_u64 value_len);

/* Replaces what the handle stands for by a number. Returns 0. */
extern zs_s64 zs_json_set_i64(zs_u64 json, zs_s64 value);

/* Replaces what the handle stands for by true (value is not 0) or false. Returns 0. */
extern zs_s64 zs_json_set_bool(zs_u64 json, zs_u64 value);

/* Replaces what the handle stands for by null. Returns 0. */
extern zs_s64 zs_json_set_null(zs_u64 json);

/* Gives a handle back. Returns 0. */
extern zs_s64 zs_object_free(zs_u64 json);

/* ---- cryptography and encodings ----------------------------------------------------------------------- */

/* Random bytes, good for keys. Returns out_len. */
extern zs_s64 zs_getrandom(void *out, zs_u64 out_len);

/* SHA-256; out_len must be 32, else it aborts. Returns 32. */
extern zs_s64 zs_sha256(const void *data, zs_u64 data_len, void *out, zs_u64 out_len);

/* HMAC-SHA-256 of msg, 32 bytes to out. Any length of key. Returns 32. */
extern zs_s64 zs_hmac_sha256(const void *key, zs_u64 key_len, const void *msg, zs_u64 msg_len, void *out);

/* Base64 without NUL; encoding is a ZS_BASE64_ number. Returns the length; with out_len 0 the length needed.
 * Aborts when out is too small. */
extern zs_s64 zs_base64_encode(const void *data, zs_u64 data_len, char *out, zs_u64 out_len, zs_u64 encoding);

/* Decodes where it is. Strict about alphabet and padding. Returns the bytes, or -1; the buffer is spoilt
 * then. */
extern zs_s64 zs_base64_decode_in_place(void *buf, zs_u64 len, zs_u64 encoding);

/* Hexadecimal without NUL; letters is a ZS_HEX_ number. Returns the length; with out_len 0 the length needed.
 * Aborts when out is too small. */
extern zs_s64 zs_hex_encode(const void *data, zs_u64 data_len, char *out, zs_u64 out_len, zs_u64 letters);

/* Decodes where it is, letters of either case. Returns the bytes, or -1. */
extern zs_s64 zs_hex_decode_in_place(void *buf, zs_u64 len);

/* 1 when both are the same bytes, else 0. Takes a time that does not depend on where they differ. */
extern zs_s64 zs_constant_time_eq(const void *a, zs_u64 a_len, const void *b, zs_u64 b_len);

/* ---- AWS Signature Version 4 -------------------------------------------------------------------------- */

/* The value of an Authorization header, as text out to params->out. params_len is sizeof(*params). -1 when a
 * part is too long, -2 when no request can be made of them. */
extern zs_s64 zs_aws_v4_authorization_header(const zs_aws_v4_sign_params *params, zs_u64 params_len);

/* Path and query of a URL that may be used for a while, as text out to params->out. Errors as above. */
extern zs_s64 zs_aws_v4_presigned_url(const zs_aws_v4_sign_params *params, zs_u64 params_len, zs_u64 expires_secs);

/* ---- rate limits -------------------------------------------------------------------------------------- */

/* Takes one token of a key's buckets; 0 means no limit of that kind. The buckets outlive a reload and are one
 * set for all scripts. Returns a ZS_RATE_LIMIT_ number; -1 when the key is empty or over 256 bytes. */
extern zs_s64 zs_rate_limit(const void *key, zs_u64 key_len, zs_u64 per_second, zs_u64 per_minute, zs_u64 per_hour);

/* ---- state: a store of the whole process -------------------------------------------------------------- */

/* Copies what fits of a value, without a NUL. Returns its length, or -1 when there is none. */
extern zs_s64 zs_kv_get(const void *key, zs_u64 key_len, void *out, zs_u64 out_len);

/* Keeps a value for this many seconds (0: until the server ends); reloads don't lose it. Returns 0, or -1
 * when key (1 to 256 bytes), value (64 KiB) or store (16 MiB) is too large. */
extern zs_s64 zs_kv_set(const void *key, zs_u64 key_len, const void *value, zs_u64 value_len, zs_u64 ttl_secs);

/* Returns 1 when there was a value, else 0. */
extern zs_s64 zs_kv_delete(const void *key, zs_u64 key_len);

/* Adds to a number of 8 bytes, 0 when there was no value (only then ttl_secs counts), and writes the sum to
 * out. Returns 8, or -1 for a value that is no such number, for an overflow, or as zs_kv_set. */
extern zs_s64 zs_kv_incr(const void *key, zs_u64 key_len, zs_s64 by, zs_u64 ttl_secs, void *out);

/* ---- OIDC login --------------------------------------------------------------------------------------- */

/* Answers with a redirect to the provider. return_to is a path of this site, `/` when empty. Returns 0; -1
 * when the configuration is wrong. */
extern zs_s64 zs_oidc_begin_login(zs_s64 config, const char *return_to, zs_u64 return_to_len);

/* Finishes a login and answers with a redirect, 400 or 502. Returns 0; -1 when the configuration is wrong. */
extern zs_s64 zs_oidc_handle_callback(zs_s64 config);

/* Who is logged in: the handle of the claims; 0 nobody; -1 when the configuration is wrong. */
extern zs_s64 zs_oidc_session_verify(zs_s64 config);

/* Ends the session and answers with a redirect to the URL, or with 200 when it is empty. Returns 0, or -1. */
extern zs_s64 zs_oidc_logout(zs_s64 config, const char *end_session_url, zs_u64 end_session_url_len);

/* ---- calls between scripts ---------------------------------------------------------------------------- */

/* Runs a ZS_CALL_ENTRY of a script (its name with or without `.o`) with a copy of a value. Returns the handle
 * of a copy of its result; -1 when there is no such function, it failed, or eight calls are open already. */
extern zs_s64 zs_call(const char *script, zs_u64 script_len, const char *function, zs_u64 function_len, zs_s64 json);

#endif
