// Preloaded into a server: before each entry into a ring, one plain `pread`. What a loop that reads past
// its ring would look like to strace.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...) {
  static long (*next)(long, ...);
  long given[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
  va_end(rest);
  if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  if (number == SYS_io_uring_enter) {
    char byte;
    (void)!pread(STDIN_FILENO, &byte, 1, 0);  // refused or not: it is the call that counts
  }
  return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
