/* A JSON API: three fields of a body, an answer of four members. */
#include <zeroserve.h>

ZS_ENTRY
zs_u64 entry(void) {
  zs_s64 body = zs_req_body_json();
  if (body < 0) {
    zs_respond(400, ZS_STR("no JSON\n"));
    return 0;
  }
  char name[64] = {0};
  zs_s64 count = 0;
  zs_u8 active = 0;
  zs_s64 at = zs_json_get(body, ZS_STR("name"));
  zs_s64 length = at > 0 ? zs_json_read_string(at, name, sizeof(name)) : -1;
  at = zs_json_get(body, ZS_STR("count"));
  if (at > 0) zs_json_read_i64(at, &count, sizeof(count));
  at = zs_json_get(body, ZS_STR("active"));
  if (at > 0) zs_json_read_bool(at, &active, sizeof(active));
  if (length < 0) {
    zs_respond(422, ZS_STR("no name\n"));
    return 0;
  }

  zs_s64 answer = zs_json_new_object();
  zs_s64 value = zs_json_new_object();
  zs_json_set_string(value, name, length);
  zs_json_set(answer, ZS_STR("name"), value);
  zs_json_set_i64(value, count + 1);
  zs_json_set(answer, ZS_STR("count"), value);
  zs_json_set_bool(value, active);
  zs_json_set(answer, ZS_STR("active"), value);
  zs_json_set_null(value);
  zs_json_set(answer, ZS_STR("next"), value);
  zs_json_respond(200, answer);
  return 0;
}
