/* About 700 instructions, for the compile time: a router of many paths. */
#include <zeroserve.h>

ZS_ENTRY zs_u64 entry(void) {
  char path[64];
  zs_req_path(path, sizeof(path));
  if (zs_strcmp(path, "/page/0") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("0"));
    zs_respond(200, ZS_STR("answer 0\n"));
  }
  if (zs_strcmp(path, "/page/1") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("7"));
    zs_respond(201, ZS_STR("answer 13\n"));
  }
  if (zs_strcmp(path, "/page/2") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("14"));
    zs_respond(202, ZS_STR("answer 26\n"));
  }
  if (zs_strcmp(path, "/page/3") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("21"));
    zs_respond(203, ZS_STR("answer 39\n"));
  }
  if (zs_strcmp(path, "/page/4") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("28"));
    zs_respond(204, ZS_STR("answer 52\n"));
  }
  if (zs_strcmp(path, "/page/5") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("35"));
    zs_respond(205, ZS_STR("answer 65\n"));
  }
  if (zs_strcmp(path, "/page/6") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("42"));
    zs_respond(206, ZS_STR("answer 78\n"));
  }
  if (zs_strcmp(path, "/page/7") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("49"));
    zs_respond(207, ZS_STR("answer 91\n"));
  }
  if (zs_strcmp(path, "/page/8") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("56"));
    zs_respond(208, ZS_STR("answer 104\n"));
  }
  if (zs_strcmp(path, "/page/9") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("63"));
    zs_respond(209, ZS_STR("answer 117\n"));
  }
  if (zs_strcmp(path, "/page/10") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("70"));
    zs_respond(210, ZS_STR("answer 130\n"));
  }
  if (zs_strcmp(path, "/page/11") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("77"));
    zs_respond(211, ZS_STR("answer 143\n"));
  }
  if (zs_strcmp(path, "/page/12") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("84"));
    zs_respond(212, ZS_STR("answer 156\n"));
  }
  if (zs_strcmp(path, "/page/13") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("91"));
    zs_respond(213, ZS_STR("answer 169\n"));
  }
  if (zs_strcmp(path, "/page/14") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("98"));
    zs_respond(214, ZS_STR("answer 182\n"));
  }
  if (zs_strcmp(path, "/page/15") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("105"));
    zs_respond(215, ZS_STR("answer 195\n"));
  }
  if (zs_strcmp(path, "/page/16") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("112"));
    zs_respond(216, ZS_STR("answer 208\n"));
  }
  if (zs_strcmp(path, "/page/17") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("119"));
    zs_respond(217, ZS_STR("answer 221\n"));
  }
  if (zs_strcmp(path, "/page/18") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("126"));
    zs_respond(218, ZS_STR("answer 234\n"));
  }
  if (zs_strcmp(path, "/page/19") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("133"));
    zs_respond(219, ZS_STR("answer 247\n"));
  }
  if (zs_strcmp(path, "/page/20") == 0) {
    zs_meta_set(ZS_STR("number"), ZS_STR("140"));
    zs_respond(220, ZS_STR("answer 260\n"));
  }
  return 0;
}
