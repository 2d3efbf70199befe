// Basic authentication (RFC 7617) for the whole site. The script holds the SHA-256 of `user:password`, so take a
// password that nobody guesses: `printf %s 'reader:correct horse' | sha256sum`.
#include <zeroserve.h>

static const char WANTED[] = "3a61efa68ca5995d4564716f1dd3e671926b0c0ded6576cab95e9ae077cc20e2";

static ZS_INLINE int is_known(void) {
  char value[512], digest[32], hex[64];
  zs_s64 length = zs_req_header(ZS_STR("authorization"), value, sizeof(value));
  if (length <= 6 || length >= (zs_s64)sizeof(value) || zs_strncmp(value, "Basic ", 6) != 0) return 0;
  zs_s64 plain = zs_base64_decode_in_place(value + 6, (zs_u64)length - 6, ZS_BASE64_STANDARD);
  if (plain < 0) return 0;
  zs_sha256(value + 6, (zs_u64)plain, digest, sizeof(digest));
  zs_hex_encode(digest, sizeof(digest), hex, sizeof(hex), ZS_HEX_LOWERCASE);
  return zs_constant_time_eq(hex, sizeof(hex), WANTED, sizeof(hex)) == 1;
}

ZS_ENTRY
zs_u64 entry(void) {
  if (is_known()) return 0;
  zs_meta_set(ZS_STR("zs.response.header.www-authenticate"), ZS_STR("Basic realm=\"members\", charset=\"UTF-8\""));
  zs_respond(401, ZS_STR("who are you?\n"));
  return 0;
}
