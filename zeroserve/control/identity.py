"""Identity: how the process looks from outside (name, arguments) and what it may open.

`killall -HUP zeroserve` must find us, and `ps` should show what was started, not the interpreter.
Everything here is a courtesy: where the kernel refuses, the server runs all the same.
"""

import resource

FD_LIMIT_MAX = 1 << 20  # the kernel's usual `fs.nr_open`
_ARG_START, _ARG_END = 47, 48  # fields of /proc/self/stat, counted from 0 (proc_pid_stat(5))


def name_process(name: str) -> None:
    """Set the command name, of which the kernel keeps 15 bytes."""
    try:
        with open("/proc/self/comm", "wb", buffering=0) as file:  # noqa: PTH123  # lean
            file.write(name.encode()[:15])
    except OSError:
        return


def show_arguments(arguments: list[str]) -> None:
    """Let `ps` show these arguments: they overwrite the interpreter's own, cut to their length."""
    try:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123  # lean
            # The name in parentheses may hold spaces; what follows its end does not.
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[_ARG_START - 2]), int(fields[_ARG_END - 2])
        text = b"\0".join(argument.encode() for argument in arguments)[: end - start - 1]
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123  # lean
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))
    except (OSError, ValueError, IndexError):
        return


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors as far as the hard one lets. Returns the new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FD_LIMIT_MAX if hard == resource.RLIM_INFINITY else min(hard, FD_LIMIT_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted
