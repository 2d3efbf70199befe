// While `.zeroserve/maintenance.json` says `"closed": true`, visitors get 503 and those at work see the site.
#include <zeroserve.h>

#define AT_WORK "[\"192.0.2.0/28\", \"2001:db8:1::/48\"]"

ZS_ENTRY
zs_u64 entry(void) {
  unsigned char closed = 0;
  zs_s64 document = zs_load_static_json(ZS_STR(".zeroserve/maintenance.json"));
  if (document < 0) return 0;
  zs_s64 node = zs_json_get((zs_u64)document, ZS_STR("closed"));
  if (node < 0 || zs_json_read_bool((zs_u64)node, &closed, 1) != 1 || !closed) return 0;
  if (zs_req_remote_ip_matches(ZS_STR(AT_WORK))) return 0;

  zs_meta_set(ZS_STR("zs.response.header.retry-after"), ZS_STR("600"));
  zs_meta_set(ZS_STR("zs.response.header.cache-control"), ZS_STR("no-store"));
  zs_meta_set(ZS_STR("zs.response.header.content-type"), ZS_STR("text/html; charset=utf-8"));
  zs_respond(503, ZS_STR("<!doctype html><title>Back soon</title><p>We are back in ten minutes.\n"));
  return 0;
}
