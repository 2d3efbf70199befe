/* Handles as a script uses and misuses them. The query says what to do. */
#include <zeroserve.h>

static void same(zs_s64 found, zs_s64 wanted) {
  if (found != wanted) zs_respond(599, ZS_STR("different"));
}

/* Calls that end the run. */
static void misuse(char what, zs_s64 json) {
  char small[4];
  zs_s64 number;
  switch (what) {
  case 'a': zs_json_len(99); return;
  case 'b': zs_object_free(json); zs_json_len(json); return;
  case 'c': zs_json_read_i64(json, small, 4); return;
  case 'd': zs_json_read_bool(json, &number, 8); return;
  case 'e': for (int i = 0; i < 32; i++) zs_json_new_object(); return;
  case 'f': {
    zs_s64 list = zs_json_new_array();
    for (int i = 0; i < 100; i++) zs_json_array_push(list, list);
    return;
  }
  case 'g': {
    zs_s64 child = zs_json_get(json, ZS_STR("a"));
    zs_json_set_null(json);
    zs_json_type(child);
    return;
  }
  case 'h': zs_json_clone(0); return;
  case 'i': {
    zs_s64 outer = zs_json_new_array();
    for (int i = 0; i < 200; i++) {
      zs_s64 list = zs_json_new_array();
      zs_json_array_push(list, outer);
      zs_object_free(outer);
      outer = list;
    }
    return;
  }
  case 'j': zs_json_set_string(json, "\xff", 1); return;
  case 'k': zs_json_get(json, (const char *)8, 4); return;
  case 'l': zs_sha256(small, 4, small, 4); return;
  case 'm': zs_sha256(ZS_STR("x"), small, 4); return;
  case 'n': zs_base64_encode(ZS_STR("four"), small, 4, 0); return;
  case 'o': zs_base64_decode_in_place(small, 4, 4); return;
  case 'p': zs_hex_encode(ZS_STR("four"), small, 4, 0); return;
  case 'q': zs_hex_encode(ZS_STR("x"), small, 4, 2); return;
  }
}

ZS_ENTRY
zs_u64 entry(void) {
  char query[8];
  char text[64];
  zs_s64 number = 0;
  zs_u8 flag = 0;
  zs_s64 json = zs_json_parse(ZS_STR("{\"a\":{\"b\":[1,-9223372036854775808,2.5]},\"u\":\"\\u00fc\",\"t\":true}"));
  same(json, 1);
  zs_req_query(query, sizeof(query));
  if (query[0]) {
    misuse(query[0], json);
    return 0;
  }

  zs_s64 a = zs_json_get(json, ZS_STR("a"));
  zs_s64 b = zs_json_get(a, ZS_STR("b"));
  same(a, 2);
  same(zs_json_get(json, ZS_STR("none")), -1);
  same(zs_json_get(b, ZS_STR("b")), -1);
  same(zs_json_array_get(b, 3), -1);
  same(zs_json_array_get(a, 0), -1);
  same(zs_json_len(b), 3);
  zs_s64 least = zs_json_array_get(b, 1);
  same(zs_json_read_i64(least, &number, 8), 8);
  same(number, -9223372036854775807 - 1);
  same(zs_json_read_i64(zs_json_array_get(b, 2), &number, 8), -1);
  same(zs_json_type(b), ZS_JSON_ARRAY);
  same(zs_json_read_string(b, text, sizeof(text)), -1);
  zs_s64 u = zs_json_get(json, ZS_STR("u"));
  same(zs_json_len(u), 2);
  same(zs_json_read_string(u, text, 0), 2);
  same(zs_json_read_string(u, text, 2), 2);
  same(zs_json_read_bool(zs_json_get(json, ZS_STR("t")), &flag, 1), 1);
  same(flag, 1);

  /* Through one handle into the others; a path that is gone may come back. */
  zs_json_set_string(least, ZS_STR("changed"));
  same(zs_json_array_push(b, a), 4);
  zs_s64 copy = zs_json_clone(a);
  same(zs_json_remove(json, ZS_STR("a")), 0);
  same(zs_json_remove(json, ZS_STR("a")), -1);
  same(zs_json_set(json, ZS_STR("a"), copy), 0);
  same(zs_json_read_string(least, text, sizeof(text)), 7);
  same(zs_json_array_set(b, 0, u), 0);
  same(zs_json_array_set(b, 9, u), -1);
  same(zs_json_array_set(u, 0, u), -1);
  same(zs_json_set(u, ZS_STR("x"), u), -1);
  same(zs_json_array_push(u, u), -1);
  zs_json_reset(least);
  same(zs_json_len(least), 3);
  same(zs_json_parse(ZS_STR("{\"a\":}")), -1);
  same(zs_object_free(copy), 0);

  /* Sums and encodings. */
  zs_u8 sum[32];
  zs_u8 mac[32];
  char hex[64];
  same(zs_sha256(ZS_STR("abc"), sum, 32), 32);
  same(zs_hmac_sha256(ZS_STR("Jefe"), ZS_STR("what do ya want for nothing?"), mac), 32);
  same(zs_hex_encode(sum, 32, hex, sizeof(hex), ZS_HEX_LOWERCASE), 64);
  zs_json_set_string(u, hex, 64);
  zs_json_set(json, ZS_STR("sha256"), u);
  same(zs_hex_encode(mac, 32, hex, sizeof(hex), ZS_HEX_UPPERCASE), 64);
  zs_json_set_string(u, hex, 64);
  zs_json_set(json, ZS_STR("hmac"), u);
  same(zs_hex_decode_in_place(hex, 64), 32);
  same(zs_memcmp(hex, mac, 32), 0);
  same(zs_constant_time_eq(hex, 32, mac, 32), 1);
  same(zs_constant_time_eq(hex, 32, mac, 31), 0);
  same(zs_constant_time_eq(hex, 32, sum, 32), 0);
  same(zs_base64_encode(ZS_STR("\xfb\xff"), text, 0, ZS_BASE64_STANDARD), 4);
  same(zs_base64_encode(ZS_STR("\xfb\xff"), text, sizeof(text), ZS_BASE64_URL_NO_PAD), 3);
  same(zs_memcmp(text, "-_8", 3), 0);
  same(zs_base64_decode_in_place(text, 3, ZS_BASE64_URL), -1);
  zs_memcpy(text, "-_8", 3);
  same(zs_base64_decode_in_place(text, 3, ZS_BASE64_STANDARD_NO_PAD), -1);
  zs_memcpy(text, "-_9", 3);
  same(zs_base64_decode_in_place(text, 3, ZS_BASE64_URL_NO_PAD), -1);
  zs_memcpy(text, "-_8", 3);
  same(zs_base64_decode_in_place(text, 3, ZS_BASE64_URL_NO_PAD), 2);
  same(zs_base64_decode_in_place(text, 0, ZS_BASE64_STANDARD), 0);
  same(zs_hex_decode_in_place(text, 1), -1);
  same(zs_getrandom(sum, 32), 32);
  same(zs_constant_time_eq(sum, 32, mac, 32), 0);
  zs_json_respond(200, json);
  return 0;
}
