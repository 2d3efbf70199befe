// Half of the visitors see another front page. A cookie remembers which half.
#include <zeroserve.h>

ZS_ENTRY
zs_u64 entry(void) {
  char path[64], variant[4];
  zs_req_path(path, sizeof(path));
  if (zs_strcmp(path, "/") != 0) return 0;

  zs_req_cookie(ZS_STR("variant"), variant, sizeof(variant));
  if (zs_strcmp(variant, "a") != 0 && zs_strcmp(variant, "b") != 0) {
    unsigned char random;
    zs_getrandom(&random, 1);
    zs_strcpy(variant, random & 1 ? "a" : "b");
    char cookie[64];
    zs_strcpy(zs_stpcpy(zs_stpcpy(cookie, "variant="), variant), "; Path=/; Max-Age=2592000; SameSite=Lax");
    zs_res_add_header(ZS_STR("set-cookie"), ZS_STR(cookie));
  }
  // Shared caches must not hand one half's page to the other.
  zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("private"));
  zs_meta_set(ZS_STR("zs.response.header.vary"), ZS_STR("Cookie"));
  if (variant[0] == 'b') zs_req_set_uri(ZS_STR("/b/"));
  return 0;
}
