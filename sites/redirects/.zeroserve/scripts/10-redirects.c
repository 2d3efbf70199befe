// Old addresses, and what they are now. A query is kept.
#include <zeroserve.h>

typedef struct {
  const char *from, *to;
} move;

static ZS_INLINE void redirect(zs_u64 status, const char *to) {
  char target[1024], query[768];
  char *end = zs_stpcpy(target, to);
  if (zs_req_query(query, sizeof(query)) > 0) {
    *end++ = '?';
    zs_strcpy(end, query);
  }
  zs_meta_set(ZS_STR("zs.response.header.location"), ZS_STR(target));
  zs_respond(status, "", 0);
}

ZS_ENTRY
zs_u64 entry(void) {
  const move moves[] = {
      {"/old", "/"},
      {"/blog/first", "/articles/1/"},
      {"/feed.xml", "/index.xml"},
  };
  char path[256];
  zs_req_path(path, sizeof(path));
  for (int i = 0; i < (int)(sizeof(moves) / sizeof(moves[0])); i++) {
    if (zs_strcmp(path, moves[i].from) == 0) redirect(308, moves[i].to);
  }
  return 0;
}
