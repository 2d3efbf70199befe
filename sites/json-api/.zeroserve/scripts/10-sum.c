// POST /api/sum with {"a": 1, "b": 2} answers {"sum": 3}.
#include <zeroserve.h>

static ZS_INLINE int number(zs_s64 body, const char *name, zs_s64 *out) {
  zs_s64 node = zs_json_get((zs_u64)body, ZS_STR(name));
  return node >= 0 && zs_json_read_i64((zs_u64)node, out, sizeof(*out)) == sizeof(*out);
}

static ZS_INLINE void answer(zs_u64 status, const char *name, zs_s64 value) {
  zs_s64 document = zs_json_new_object(), node = zs_json_new_object();
  zs_json_set_i64((zs_u64)node, value);
  zs_json_set((zs_u64)document, ZS_STR(name), (zs_u64)node);
  zs_json_respond(status, (zs_u64)document);
}

ZS_ENTRY
zs_u64 entry(void) {
  char path[64], method[16];
  zs_s64 a, b, sum;
  zs_req_path(path, sizeof(path));
  if (zs_strcmp(path, "/api/sum") != 0) return 0;
  zs_req_method(method, sizeof(method));
  if (zs_strcmp(method, "POST") != 0) {
    zs_meta_set(ZS_STR("zs.response.header.allow"), ZS_STR("POST"));
    zs_respond(405, ZS_STR("POST it\n"));
    return 0;
  }
  zs_s64 body = zs_req_body_json();
  if (body < 0 || !number(body, "a", &a) || !number(body, "b", &b) || __builtin_add_overflow(a, b, &sum)) {
    zs_respond(400, ZS_STR("two whole numbers are wanted, `a` and `b`\n"));
    return 0;
  }
  answer(200, "sum", sum);
  return 0;
}
