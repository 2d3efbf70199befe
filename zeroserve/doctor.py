"""Doctor: looks at this machine for what would keep a server from running well. Changes nothing.

Each examination is small and independent; each problem comes with one thing to do.
"""

import ctypes
import errno
import os
import platform
import re
import resource
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroserve.config.model import ListenAddress
from zeroserve.control.client import SOCKET_PATH_BYTES_MAX
from zeroserve.control.listeners import bind_all
from zeroserve.errors import ZeroserveError

KERNEL_MIN = (6, 1)
DESCRIPTORS_MIN = 4096  # a connection takes one, a file of the site another
BACKLOG_WANTED = 4096
CLOCK_EARLIEST = 1_735_689_600  # 2025-01-01: before it, this version did not exist
SYS_IO_URING_SETUP = 425  # the same number on every architecture
URING_DISABLED = Path("/proc/sys/kernel/io_uring_disabled")
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
TOOLS = (("curl", "tries a page by hand"), ("openssl", "looks into certificates"))


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing that was looked at. `state` is `ok`, `warning` or `problem`."""

    what: str
    state: str
    found: str
    remedy: str | None = None


def examine(addresses: Sequence[ListenAddress], control: str | None) -> list[Examination]:
    """Everything, in the order a start would meet it."""
    results = [examine_kernel(platform.system(), platform.release()), examine_uring()]
    results += examine_engine()
    results += [examine_descriptors(), examine_backlog(), examine_clock(time.time())]
    results += [examine_address(address) for address in addresses]
    if control is not None:
        results.append(examine_control(Path(control)))
    results += [examine_tool(name, purpose) for name, purpose in TOOLS]
    return results


def examine_kernel(system: str, release: str) -> Examination:
    """Whether the kernel is new enough. `release` is that of `uname -r`."""
    if system != "Linux":
        text = f"{system} {release}"
        return Examination("kernel", "problem", text, "serving needs Linux 6.1 or newer")
    match = re.match(r"(\d+)\.(\d+)", release)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < KERNEL_MIN:
        return Examination(
            "kernel",
            "problem",
            f"Linux {release}",
            "install Linux 6.1 or newer (Debian 12 has it)",
        )
    return Examination("kernel", "ok", f"Linux {release}")


def examine_uring() -> Examination:
    """Whether io_uring may be used by this process: asks the kernel for a ring of one entry."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return Examination("io_uring", "problem", "cannot be tried here", "use Linux")
    parameters = ctypes.create_string_buffer(120)  # struct io_uring_params
    descriptor = libc.syscall(SYS_IO_URING_SETUP, 1, parameters)
    if descriptor >= 0:
        os.close(descriptor)
        return Examination("io_uring", "ok", "a ring could be set up")
    number = ctypes.get_errno()
    setting = URING_DISABLED.read_text().strip() if URING_DISABLED.exists() else "0"
    return Examination("io_uring", "problem", _uring_found(number), uring_remedy(number, setting))


def _uring_found(number: int) -> str:
    return f"refused by the kernel ({errno.errorcode.get(number, number)})"


def uring_remedy(number: int, setting: str) -> str:
    """What to do about a refused ring. `setting` is that of `kernel.io_uring_disabled`."""
    if setting != "0":
        return (
            f"kernel.io_uring_disabled is {setting}: `sysctl kernel.io_uring_disabled=0`, or with "
            "1 add the user to the group of kernel.io_uring_group"
        )
    if number == errno.ENOSYS:
        return "the kernel has no io_uring: use one built with CONFIG_IO_URING"
    if number == errno.ENOMEM:
        return "the ring's memory may not be locked: raise `ulimit -l`, or use Linux 5.12 or newer"
    return (
        "a seccomp profile forbids it, as containers' do by default: allow io_uring_setup, "
        "io_uring_enter and io_uring_register (`--security-opt seccomp=PROFILE.json`)"
    )


def examine_engine() -> list[Examination]:
    """Whether the engine is there, and what it finds missing."""
    from zeroserve.bridge.handles import probe

    try:
        answer = probe()
    except ZeroserveError as error:
        return [Examination("engine", "problem", error.message, error.hint)]
    ring = answer.get("ring")
    features = sorted(name for name, there in ring.items() if there) if ring else []
    results = [
        Examination("engine", "ok", "loaded" + (f"; ring: {', '.join(features)}" if ring else ""))
    ]
    results += [
        Examination("engine", "problem", str(one.get("what")), str(one.get("remedy")))
        for one in answer.get("problems") or []
    ]
    return results


def examine_descriptors() -> Examination:
    """How many descriptors the process may have; a start raises the soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{_limit(soft)} now, {_limit(hard)} at most"
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS_MIN:
        return Examination(
            "open files", "warning", found, "raise it: `LimitNOFILE=` in systemd, or `ulimit -Hn`"
        )
    return Examination("open files", "ok", found)


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def examine_backlog() -> Examination:
    """The kernel's cap on connections that wait to be accepted."""
    try:
        value = int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        return Examination("accept queue", "ok", "not known on this system")
    if value < BACKLOG_WANTED:
        remedy = f"`sysctl net.core.somaxconn={BACKLOG_WANTED}` for many clients at once"
        return Examination("accept queue", "warning", f"somaxconn {value}", remedy)
    return Examination("accept queue", "ok", f"somaxconn {value}")


def examine_clock(now: float) -> Examination:
    """Whether the time can be right. `now` in seconds since 1970."""
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < CLOCK_EARLIEST:
        remedy = "set it (`timedatectl set-ntp true`): certificates would not be valid yet"
        return Examination("clock", "problem", text, remedy)
    return Examination("clock", "ok", text)


def examine_address(address: ListenAddress) -> Examination:
    """Whether a start could listen there. Binds and lets go."""
    what = f"listen {address.text}"
    if address.kind == "fd":
        return Examination(what, "ok", "an inherited socket is only known at the start")
    existed = address.kind == "unix" and Path(address.path).exists()
    try:
        for bound in bind_all([address], threads=1, reuse_port=False):
            bound.close()
    except ZeroserveError as error:
        return Examination(what, "problem", error.message, error.hint)
    if address.kind == "unix" and not existed:
        Path(address.path).unlink(missing_ok=True)
    return Examination(what, "ok", "free")


def examine_control(path: Path) -> Examination:
    """Whether a control socket could be made at `path`."""
    what = f"control {path}"
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES_MAX:
        remedy = f"choose a path of at most {SOCKET_PATH_BYTES_MAX} bytes"
        return Examination(what, "problem", "the path is too long", remedy)
    directory = path.parent
    if not directory.is_dir():
        remedy = f"`mkdir -p {directory}`, or `RuntimeDirectory=zeroserve` in systemd"
        return Examination(what, "problem", f"`{directory}` is no directory", remedy)
    if not os.access(directory, os.W_OK | os.X_OK):
        remedy = "choose a directory the server's user may write to"
        return Examination(what, "problem", f"`{directory}` is not writable", remedy)
    return Examination(what, "ok", "the directory is writable")


def examine_tool(name: str, purpose: str) -> Examination:
    """Whether a program that helps is there. The server itself needs none."""
    found = shutil.which(name)
    if found is None:
        return Examination(name, "warning", "not installed", f"optional: {purpose}")
    return Examination(name, "ok", found)
