/* A script's own answer, hooks, what scripts leave for each other. */
#include "cases.h"

CASE(respond) {
  number(zs_response_pending());
  zs_respond(404, T("one"));
  number(zs_response_pending());
  zs_respond(201, T("two"));
  number(zs_res_add_header(T("Set-Cookie"), T("a=1")));
  number(zs_res_add_header(T(" set-cookie"), T("b=2")));
}

CASE(cleared) {
  zs_respond(404, T("one"));
  number(zs_response_clear());
  number(zs_response_pending());
}

CASE(odd_status) { zs_respond(65535, T("")); }
CASE(bad_status) { zs_respond(65536, T("")); }
CASE(aborted) {
  zs_respond(200, T("never"));
  number(zs_abort());
}
CASE(bad_added_name) { zs_res_add_header(T("a b"), T("c")); }
CASE(bad_added_value) { zs_res_add_header(T("a"), T("b\nc")); }

CASE(log) {
  zs_log(T("one\ntwo\n\n"));
  zs_log(T("th"));
  zs_log(T("ree\x01\xff end"));
}

CASE(metadata) {
  char out[64];
  number(zs_meta_set(T(" key "), T("value")));
  SHOW(out, zs_meta_get(T("key"), out, sizeof(out)));
  SHOW(out, zs_meta_get(T("none"), out, sizeof(out)));
}
CASE(empty_key) { zs_meta_set(T("  "), T("value")); }
CASE(not_text) { zs_meta_set(T("key"), T("\xff")); }

CASE(limit) {
  number(zs_rate_limit(T("key"), 1, 0, 0));
  number(zs_rate_limit(T("key"), 1, 0, 0));
  number(zs_rate_limit(T(""), 1, 0, 0));
}

CASE(store) {
  char out[16] = "";
  zs_s64 sum = 0;
  number(zs_kv_get(T("key"), out, sizeof(out)));
  number(zs_kv_set(T("key"), T("value"), 60));
  SHOW(out, zs_kv_get(T("key"), out, sizeof(out) - 1));
  number(zs_kv_get(T("key"), out, 0));
  number(zs_kv_incr(T("key"), 1, 0, &sum));
  number(zs_kv_delete(T("key")));
  number(zs_kv_delete(T("key")));
  number(zs_kv_incr(T("n"), 5, 60, &sum));
  number(zs_kv_incr(T("n"), -7, 60, &sum));
  number(sum);
  number(zs_kv_incr(T("n"), (zs_s64)(1ULL << 63), 0, &sum));
  number(zs_kv_set(T(""), T("value"), 60));
}

/* ---- hooks -------------------------------------------------------------------------------------------- */

static ZS_INLINE zs_s64 hook(const char *script, zs_u64 script_len, const char *name, zs_u64 len) {
  return zs_res_hook(script, script_len, name, len, zs_connection_info());
}

CASE(hooked) {
  number(hook(T(""), T("look")));
  number(hook(T("response"), T("change")));
  number(hook(T("nobody"), T("change")));
  number(hook(T("response.o"), T("nothing")));
  number(hook(T(""), T("fail")));
  number(hook(T(""), T("look")));
  zs_respond(200, T("body"));
}

ZS_CALL_ENTRY(look, input) {
  char out[64];
  (void)input;
  number(zs_res_status());
  SHOW(out, zs_res_header(T("X-Old"), out, sizeof(out)));
  SHOW(out, zs_res_header(T("x-new"), out, sizeof(out)));
  SHOW(out, zs_meta_get(T("left"), out, sizeof(out)));
  return 0;
}

ZS_CALL_ENTRY(change, input) {
  (void)input;
  number(zs_res_set_status(299));
  number(zs_res_add_header(T("x-new"), T("1")));
  number(zs_res_replace_header(T("{\"name\": \"x-old\", \"search_regexp\": \"v(.)\", \"replace\": \"w$1\"}")));
  zs_meta_set(T("left"), T("by change"));
  return 0;
}

ZS_CALL_ENTRY(fail, input) {
  (void)input;
  zs_res_set_status(500);
  zs_res_add_header(T("x-new"), T("2"));
  zs_meta_set(T("left"), T("by fail"));
  zs_res_continue_request();
  return zs_res_set_status(99);
}

CASE(hooks_cleared) {
  hook(T(""), T("look"));
  number(zs_res_hooks_clear());
}

CASE(again) { hook(T(""), T("once_more")); }

ZS_CALL_ENTRY(once_more, input) {
  (void)input;
  return zs_res_continue_request();
}

CASE(responding_hook) { hook(T(""), T("respond_late")); }

CASE(oddly_responding_hook) { hook(T(""), T("respond_oddly")); }

ZS_CALL_ENTRY(respond_oddly, input) {
  (void)input;
  zs_res_set_status(203);
  return zs_respond(65536, T("late"));
}

ZS_CALL_ENTRY(respond_late, input) {
  number(zs_respond(500, T("late")));
  number(zs_json_respond(500, input));
  number(zs_response_pending());
  number(zs_response_clear());
  return zs_res_set_status(203);
}

CASE(endless_hooks) { hook(T(""), T("hook_again")); }

ZS_CALL_ENTRY(hook_again, input) { return zs_res_hook(T(""), T("hook_again"), input); }

CASE(early_status) { zs_res_status(); }
