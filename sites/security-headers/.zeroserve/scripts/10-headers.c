// Headers that tell browsers to be careful, on every response. HSTS goes out over HTTPS only.
#include <zeroserve.h>

#define SET(name, value) zs_meta_set(ZS_STR("zs.response.header." name), ZS_STR(value))

ZS_ENTRY
zs_u64 entry(void) {
  SET("content-security-policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
  SET("cross-origin-opener-policy", "same-origin");
  SET("permissions-policy", "camera=(), geolocation=(), microphone=()");
  SET("referrer-policy", "strict-origin-when-cross-origin");
  SET("x-content-type-options", "nosniff");
  if (zs_req_is_tls()) SET("strict-transport-security", "max-age=31536000");
  return 0;
}
