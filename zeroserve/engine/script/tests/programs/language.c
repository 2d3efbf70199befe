/* What C can do: globals of every kind, tables of pointers, local functions, large frames, text functions. */
#include <zeroserve.h>

static const char *const names[] = {"zero", "one", "two", "three"};
static int counter = 40;
static char seen[32];
static zs_u64 zeroed[4];

__attribute__((noinline)) static zs_u64 weigh(const char *text, zs_u64 seed) {
  zs_u64 sum = seed;
  for (; *text; text++) sum = sum * 31 + (unsigned char)*text;
  return sum;
}

__attribute__((noinline)) static zs_u64 deep(zs_u64 n) {
  volatile char frame[4000];
  frame[n % 4000] = (char)n;
  return weigh(names[n & 3], n) + (zs_u64)frame[n % 4000];
}

/* Counts its runs: a fresh copy of the globals each time, so always 41. */
ZS_ENTRY zs_u64 globals(void) {
  counter++;
  zeroed[2] += 7;
  zs_strcpy(seen, names[3]);
  if (zs_strcmp(seen, "three") != 0 || zeroed[2] != 7 || zeroed[0] != 0) return 0;
  return (zs_u64)counter;
}

ZS_ENTRY zs_u64 calls(void) { return deep(2) + weigh("abc", 1); }

ZS_ENTRY zs_u64 texts(void) {
  char out[32];
  if (zs_utoa10(4294967295u, out, 11) != 10 || zs_strcmp(out, "4294967295") != 0) return 1;
  if (zs_utoa10(0, out, 2) != 1 || zs_utoa10(0, out, 1) != -1 || zs_utoa10(10, out, 2) != -1) return 2;
  zs_strncpy(out, "ab", 5);
  if (out[2] != 0 || out[4] != 0 || zs_strncmp(out, "abx", 2) != 0 || zs_strncmp(out, "abx", 3) >= 0) return 3;
  if (zs_strrchr("a/b/c", '/')[1] != 'c' || zs_strrchr("abc", 'x') != 0) return 4;
  *zs_stpcpy(zs_stpcpy(out, "one"), "two") = '!';
  if (zs_strncmp(out, "onetwo!", 7) != 0) return 5;
  zs_u64 length = 0;
  const char *text;
  text = "abcd";
  length = ZS_MAX(zs_strlen(text), ZS_MIN(2, 3));
  return length == 4 ? 0 : 6;
}

ZS_ENTRY zs_u64 atomics(void) {
  zs_u64 cell = 5;
  zs_u64 before = __sync_fetch_and_add(&cell, 3);
  __sync_fetch_and_or(&cell, 16);
  zs_u64 old = __sync_val_compare_and_swap(&cell, 24, 100);
  return before * 10000 + old * 100 + (cell == 100);
}

ZS_CALL_ENTRY(twice, input) { return input * 2; }
