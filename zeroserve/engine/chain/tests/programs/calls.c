/* Calls between scripts, and handles. */
#include "cases.h"

CASE(call) {
  zs_s64 argument = zs_connection_info();
  number(zs_call(T("calls"), T("same"), argument));
  number(zs_call(T("calls.o"), T("same"), argument));
  number(zs_call(T("calls"), T("nothing"), argument));
  number(zs_call(T("nobody"), T("same"), argument));
  number(zs_call(T("calls"), T("negative"), argument));
  number(zs_call(T("calls"), T("dead_handle"), argument));
  number(zs_call(T("calls"), T("failing"), argument));
  number(zs_call(T("calls"), T("responding"), argument));
  number(zs_response_pending());
  char out[32];
  SHOW(out, zs_meta_get(T("callee"), out, sizeof(out)));
}

ZS_CALL_ENTRY(same, input) { return input; }
ZS_CALL_ENTRY(negative, input) {
  (void)input;
  return -7;
}
ZS_CALL_ENTRY(dead_handle, input) { return input + 1; }
ZS_CALL_ENTRY(failing, input) {
  zs_log(T("unfinished"));
  zs_meta_set(T("callee"), T("was here"));
  zs_meta_set(T(""), T(""));
  return input;
}
ZS_CALL_ENTRY(responding, input) {
  zs_respond(418, T("thrown away"));
  return input;
}

CASE(deep) { number(zs_call(T("calls"), T("deeper"), zs_connection_info())); }

ZS_CALL_ENTRY(deeper, input) {
  zs_s64 below = zs_call(T("calls"), T("deeper"), input);
  zs_log(T("."));
  number(below);
  return below < 0 ? -1 : input;
}

CASE(foreign_handle) { zs_call(T("calls"), T("same"), 1); }

CASE(exhausted) {
  for (int i = 0; i < 40; i++) number(zs_connection_info());
}
