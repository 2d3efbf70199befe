// Programs that collect pages get 403, by the name they give or by the fingerprint of their TLS (JA4). Whoever asks
// very often is slowed down, whatever the name. A name is easily changed: this keeps out the honest ones.
#include <zeroserve.h>

static ZS_INLINE char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static ZS_INLINE int holds(const char *text, const char *word) {
  for (; *text; text++) {
    int i = 0;
    while (word[i] && lower(text[i]) == word[i]) i++;
    if (!word[i]) return 1;
  }
  return 0;
}

static ZS_INLINE int is_listed_fingerprint(void) {
  char ja4[64];
  zs_s64 fingerprint = zs_json_get((zs_u64)zs_connection_info(), ZS_STR("fingerprint"));
  if (fingerprint < 0) return 0;
  zs_s64 node = zs_json_get((zs_u64)fingerprint, ZS_STR("ja4"));
  if (node < 0 || zs_json_read_string((zs_u64)node, ja4, sizeof(ja4)) <= 0) return 0;
  return zs_strcmp(ja4, "t13d1516h2_8daaf6152771_02713d6af862") == 0;
}

ZS_ENTRY
zs_u64 entry(void) {
  char agent[512], ip[64], path[64];
  zs_req_path(path, sizeof(path));
  if (zs_strcmp(path, "/robots.txt") == 0) return 0;
  zs_s64 length = zs_req_header(ZS_STR("user-agent"), agent, sizeof(agent));
  if (length <= 0 || holds(agent, "scraper") || holds(agent, "gptbot") || is_listed_fingerprint()) {
    zs_respond(403, ZS_STR("this site is for people\n"));
    return 0;
  }
  zs_req_peer_ip(ip, sizeof(ip));
  if (zs_rate_limit(ZS_STR(ip), 20, 300, 0) != ZS_RATE_LIMIT_ALLOWED) {
    zs_meta_set(ZS_STR("zs.response.header.retry-after"), ZS_STR("10"));
    zs_respond(429, ZS_STR("slower, please\n"));
  }
  return 0;
}
