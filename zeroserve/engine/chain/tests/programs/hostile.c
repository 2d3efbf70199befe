/* Every helper, called with whatever the header `registers` says: five numbers of 16 hexadecimal digits. The same as a hook,
 * for helpers of that phase. Handles 1 and 2 are documents. */
#include "cases.h"

typedef zs_u64 (*any_helper)(zs_u64, zs_u64, zs_u64, zs_u64, zs_u64);

__attribute__((noinline)) static void registers(zs_u64 *to) {
  char digits[81];
  zs_req_header(T("registers"), digits, sizeof(digits));
  for (int i = 0; i < 5; i++) {
    zs_u64 value = 0;
    for (int k = 0; k < 16; k++) {
      zs_u64 digit = (zs_u64)digits[i * 16 + k];
      value = value << 4 | (digit > '9' ? digit - 'a' + 10 : digit - '0');
    }
    to[i] = value;
  }
}

/* No text, at a place that the test knows. */
#define NOT_UTF8 ((volatile zs_u64 *)(0x10000000 + (100 << 10) + 2048))

static ZS_INLINE void prepare(zs_u64 *to) {
  registers(to);
  *NOT_UTF8 = ~0ULL;
}

#define HOSTILE(name)                                                          \
  CASE(try_##name) {                                                           \
    zs_u64 r[5];                                                               \
    prepare(r);                                                                \
    zs_connection_info();                                                      \
    zs_connection_info();                                                      \
    number((zs_s64)((any_helper)(zs_u64)name)(r[0], r[1], r[2], r[3], r[4]));  \
  }                                                                            \
  ZS_CALL_ENTRY(name, input) {                                                 \
    zs_u64 r[5];                                                               \
    (void)input;                                                               \
    prepare(r);                                                                \
    number((zs_s64)((any_helper)(zs_u64)name)(r[0], r[1], r[2], r[3], r[4]));  \
    return 0;                                                                  \
  }

/* Has the helper that the header `helper` names called by a hook. */
CASE(as_hook) {
  char name[64];
  zs_s64 n = zs_req_header(T("helper"), name, sizeof(name));
  zs_res_hook(T(""), name, (zs_u64)n, zs_connection_info());
}

HOSTILE(zs_memcpy)
HOSTILE(zs_memcmp)
HOSTILE(zs_memset)
HOSTILE(memcpy)
HOSTILE(memset)
HOSTILE(zs_log)
HOSTILE(zs_now_ms)
HOSTILE(zs_env_get)
HOSTILE(zs_version)
HOSTILE(zs_req_method)
HOSTILE(zs_req_path)
HOSTILE(zs_req_uri)
HOSTILE(zs_req_query)
HOSTILE(zs_req_query_param)
HOSTILE(zs_req_scheme)
HOSTILE(zs_req_peer)
HOSTILE(zs_req_header)
HOSTILE(zs_connection_info)
HOSTILE(zs_req_body_json)
HOSTILE(zs_req_set_uri)
HOSTILE(zs_req_set_header)
HOSTILE(zs_req_normalized_path)
HOSTILE(zs_req_query_param_matches)
HOSTILE(zs_req_proto_major)
HOSTILE(zs_req_proto_minor)
HOSTILE(zs_req_is_tls)
HOSTILE(zs_req_tls_handshake_complete)
HOSTILE(zs_req_remote_ip_matches)
HOSTILE(zs_req_peer_ip)
HOSTILE(zs_req_cookie)
HOSTILE(zs_req_body)
HOSTILE(zs_req_body_limit)
HOSTILE(zs_req_append_header)
HOSTILE(zs_req_delete_header)
HOSTILE(zs_req_replace_header)
HOSTILE(zs_req_set_method)
HOSTILE(zs_req_rewrite_uri)
HOSTILE(zs_req_rewrite_query)
HOSTILE(zs_meta_set)
HOSTILE(zs_meta_get)
HOSTILE(zs_respond)
HOSTILE(zs_json_respond)
HOSTILE(zs_response_pending)
HOSTILE(zs_response_clear)
HOSTILE(zs_abort)
HOSTILE(zs_res_add_header)
HOSTILE(zs_res_hook)
HOSTILE(zs_res_hooks_clear)
HOSTILE(zs_res_status)
HOSTILE(zs_res_set_status)
HOSTILE(zs_res_header)
HOSTILE(zs_res_replace_header)
HOSTILE(zs_res_continue_request)
HOSTILE(zs_json_parse)
HOSTILE(zs_load_static_json)
HOSTILE(zs_load_file_metadata)
HOSTILE(zs_json_new_object)
HOSTILE(zs_json_new_array)
HOSTILE(zs_json_clone)
HOSTILE(zs_json_reset)
HOSTILE(zs_json_get)
HOSTILE(zs_json_array_get)
HOSTILE(zs_json_read_string)
HOSTILE(zs_json_read_i64)
HOSTILE(zs_json_read_bool)
HOSTILE(zs_json_len)
HOSTILE(zs_json_type)
HOSTILE(zs_json_set)
HOSTILE(zs_json_remove)
HOSTILE(zs_json_array_push)
HOSTILE(zs_json_array_set)
HOSTILE(zs_json_set_string)
HOSTILE(zs_json_set_i64)
HOSTILE(zs_json_set_bool)
HOSTILE(zs_json_set_null)
HOSTILE(zs_object_free)
HOSTILE(zs_getrandom)
HOSTILE(zs_sha256)
HOSTILE(zs_hmac_sha256)
HOSTILE(zs_base64_encode)
HOSTILE(zs_base64_decode_in_place)
HOSTILE(zs_hex_encode)
HOSTILE(zs_hex_decode_in_place)
HOSTILE(zs_constant_time_eq)
HOSTILE(zs_rate_limit)
HOSTILE(zs_kv_get)
HOSTILE(zs_kv_set)
HOSTILE(zs_kv_delete)
HOSTILE(zs_kv_incr)
HOSTILE(zs_call)
