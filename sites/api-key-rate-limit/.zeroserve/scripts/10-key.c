// `/api/` wants a key, and lets each key ask five times at once and then five times a second. The known keys are a
// document of the site: `.zeroserve/keys.json` maps the SHA-256 of a key to its owner.
#include <zeroserve.h>

static ZS_INLINE void refuse(zs_u64 status, const char *why) {
  zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("no-store"));
  zs_respond(status, ZS_STR(why));
}

ZS_ENTRY
zs_u64 entry(void) {
  char path[256], key[128], digest[32], hex[64], owner[64];
  zs_req_path(path, sizeof(path));
  if (zs_strncmp(path, "/api/", 5) != 0) return 0;

  zs_s64 length = zs_req_header(ZS_STR("x-api-key"), key, sizeof(key));
  if (length <= 0 || length >= (zs_s64)sizeof(key)) return refuse(401, "a key is wanted\n"), 0;
  zs_sha256(key, (zs_u64)length, digest, sizeof(digest));
  zs_hex_encode(digest, sizeof(digest), hex, sizeof(hex), ZS_HEX_LOWERCASE);

  zs_s64 keys = zs_load_static_json(ZS_STR(".zeroserve/keys.json"));
  if (keys < 0) return refuse(500, "the list of keys is missing\n"), 0;
  zs_s64 known = zs_json_get((zs_u64)keys, hex, sizeof(hex));
  if (known < 0) return refuse(403, "an unknown key\n"), 0;
  zs_json_read_string((zs_u64)known, owner, sizeof(owner));

  if (zs_rate_limit(ZS_STR(owner), 5, 0, 0) != ZS_RATE_LIMIT_ALLOWED) {
    zs_meta_set(ZS_STR("zs.response.header.retry-after"), ZS_STR("1"));
    return refuse(429, "too many requests\n"), 0;
  }
  zs_meta_set(ZS_STR("zs.response.header.x-owner"), ZS_STR(owner));
  return 0;
}
