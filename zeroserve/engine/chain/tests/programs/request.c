/* What the request is, and changes of it. */
#include "cases.h"

CASE(inspect) {
  char out[256];
  SHOW(out, zs_req_method(out, sizeof(out)));
  SHOW(out, zs_req_path(out, sizeof(out)));
  SHOW(out, zs_req_normalized_path(out, sizeof(out)));
  SHOW(out, zs_req_uri(out, sizeof(out)));
  SHOW(out, zs_req_query(out, sizeof(out)));
  SHOW(out, zs_req_query_param(T(" q "), out, sizeof(out)));
  SHOW(out, zs_req_query_param(T("none"), out, sizeof(out)));
  SHOW(out, zs_req_header(T("X-TWICE"), out, sizeof(out)));
  SHOW(out, zs_req_header(T("cookie"), out, sizeof(out)));
  SHOW(out, zs_req_cookie(T("b"), out, sizeof(out)));
  SHOW(out, zs_req_cookie(T("B"), out, sizeof(out)));
  number(zs_req_query_param_matches(T("q"), T("2")));
  number(zs_req_query_param_matches(T("q"), T("3")));
  number(zs_req_query_param_matches(T("e"), T("*")));
  number(zs_req_query_param_matches(T("none"), T("*")));
}

CASE(connection) {
  char out[256];
  SHOW(out, zs_req_scheme(out, sizeof(out)));
  SHOW(out, zs_req_peer(out, sizeof(out)));
  SHOW(out, zs_req_peer_ip(out, sizeof(out)));
  SHOW(out, zs_version(out, sizeof(out)));
  number(zs_req_proto_major());
  number(zs_req_proto_minor());
  number(zs_req_is_tls());
  number(zs_req_tls_handshake_complete());
  number(zs_req_remote_ip_matches(T("[\"10.0.0.0/8\", \"192.0.2.0/24\"]")));
  number(zs_req_remote_ip_matches(T("[\"192.0.3.0/24\"]")));
  number(zs_req_remote_ip_matches(T("[]")));
  number((zs_s64)zs_now_ms());
}

CASE(connection_json) { zs_json_respond(200, (zs_u64)zs_connection_info()); }
CASE(bad_addresses) { zs_req_remote_ip_matches(T("[\"here\"]")); }
CASE(bad_address_list) { zs_req_remote_ip_matches(T("{}")); }

CASE(cut) {
  char out[5] = "xxxx";
  number(zs_req_path(out, 0));
  SHOW(out, zs_req_path(out, 1));
  SHOW(out, zs_req_path(out, sizeof(out)));
}

CASE(body) {
  char out[16] = "";
  number(zs_req_body(out, 0));
  SHOW(out, zs_req_body(out, sizeof(out) - 1));
  SHOW(out, zs_req_body(out, 4));
}

CASE(body_limit) {
  char out[16];
  number(zs_req_body_limit(100));
  number(zs_req_body_limit(3));
  number(zs_req_body_limit(100));
  number(zs_req_body(out, sizeof(out)));
  number(zs_req_body_json());
}

static ZS_INLINE void show_uri(void) {
  char out[256];
  SHOW(out, zs_req_uri(out, sizeof(out)));
}

CASE(set_uri) {
  char uri[256];
  zs_s64 n = zs_req_header(T("uri"), uri, sizeof(uri));
  number(zs_req_set_uri(uri, (zs_u64)n));
  show_uri();
}

CASE(rewrite_uri) {
  char operation[256];
  zs_s64 n = zs_req_header(T("operation"), operation, sizeof(operation));
  number(zs_req_rewrite_uri(operation, (zs_u64)n));
  show_uri();
}

CASE(rewrite_query) {
  char operation[256];
  zs_s64 n = zs_req_header(T("operation"), operation, sizeof(operation));
  number(zs_req_rewrite_query(operation, (zs_u64)n));
  show_uri();
}

CASE(replace_header) {
  char operation[256], out[256];
  zs_s64 n = zs_req_header(T("operation"), operation, sizeof(operation));
  number(zs_req_replace_header(operation, (zs_u64)n));
  SHOW(out, zs_req_header(T("x-twice"), out, sizeof(out)));
}

CASE(headers) {
  char out[256];
  number(zs_req_set_header(T(" X-Twice "), T("three")));
  number(zs_req_append_header(T("cookie"), T("c=3")));
  number(zs_req_append_header(T("x-a-id"), T("")));
  number(zs_req_append_header(T("x-b-id"), T("1")));
  number(zs_req_delete_header(T("X-B*")));
  number(zs_req_delete_header(T("none")));
  number(zs_req_set_method(T("PATCH")));
  SHOW(out, zs_req_header(T("x-twice"), out, sizeof(out)));
  SHOW(out, zs_req_header(T("cookie"), out, sizeof(out)));
  SHOW(out, zs_req_header(T("x-b-id"), out, sizeof(out)));
  SHOW(out, zs_req_method(out, sizeof(out)));
}

CASE(remove_header) { number(zs_req_set_header(T("x-twice"), T(""))); }
CASE(remove_all) { number(zs_req_delete_header(T("*"))); }
CASE(bad_method) { zs_req_set_method(T("A B")); }
CASE(no_method) { zs_req_set_method(T("")); }
CASE(bad_name) { zs_req_set_header(T("a:b"), T("c")); }
CASE(bad_value) { zs_req_append_header(T("a"), T("b\r\nc: d")); }
CASE(bad_name_removed) { zs_req_set_header(T("a b"), T("")); }

CASE(footprint) {
  static char value[60000];
  for (int i = 0; i < 5; i++) number(zs_meta_set(T("key"), value, sizeof(value)));
}
