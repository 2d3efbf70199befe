"""The listening sockets of an instance, held by its supervisor and inherited by its daemons.

A socket that outlives each daemon keeps its backlog: while one daemon takes over from another, or
starts again after it died, a visitor's connection waits instead of being refused. They are bound
here, and systemd keeps copies for the next supervisor should this one be killed
(`sd_pid_notify_with_fds(3)`, `sd_listen_fds(3)`). Without systemd one that takes a running daemon
over asks the kernel for copies of that daemon's.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from zeroserve.config.address import LISTEN_FDS_START, parse_address
from zeroserve.control.listeners import BoundListener, bind_all
from zsops.host.messages import InstanceSettings

_STORED = "listener"
_PIDFD_GETFD = 438  # the same number on every architecture (Linux 5.6)


def wished(settings: InstanceSettings) -> list[tuple[str, str]]:
    """(scheme, address) of every listener; the first is the one that visitors are sent to."""
    tls = [("https", address) for address in settings.tls_addresses]
    return tls + [("http", address) for address in settings.addresses]


def bind(settings: InstanceSettings) -> list[BoundListener]:
    """Listen on every address, or on none. Raises ListenRefused."""
    parsed = [parse_address(address, scheme) for scheme, address in wished(settings)]
    return bind_all(parsed, threads=1, reuse_port=False)


def passed() -> list[socket.socket]:
    """What systemd passed to this very process; none where it did not."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    found = [socket.socket(fileno=LISTEN_FDS_START + at) for at in range(count)]
    for each in found:
        each.set_inheritable(False)
    # A daemon that inherits the words would take them for its own.
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return found


class Store:
    """systemd's store of descriptors; does nothing where no systemd asked to be notified."""

    def __init__(self) -> None:
        # Not for the daemons: they are not what systemd watches here.
        self._address = os.environ.pop("NOTIFY_SOCKET", None)

    def keep(self, listeners: Sequence[BoundListener]) -> None:
        """Keep these, and forget those before."""
        self.forget()
        numbers = [each.sockets[0].fileno() for each in listeners]
        self._tell(f"FDSTORE=1\nFDNAME={_STORED}", numbers)

    def forget(self) -> None:
        """Keep none."""
        self._tell(f"FDSTOREREMOVE=1\nFDNAME={_STORED}", ())

    def _tell(self, words: str, numbers: Sequence[int]) -> None:
        if self._address is None:
            return
        place = self._address
        with (
            contextlib.suppress(OSError),  # it serves without; only a kill would be felt
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link,
        ):
            link.connect("\0" + place[1:] if place.startswith("@") else place)
            socket.send_fds(link, [words.encode()], list(numbers))


def of_process(pid: int) -> list[socket.socket]:
    """Copies of a process's listening TCP sockets; none where the kernel does not allow it."""
    copies: list[socket.socket] = []
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return copies
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            copy = _copied(handle, int(entry.name)) if _is_socket(entry) else None
            if copy is not None and _listens(copy):
                copies.append(copy)
            elif copy is not None:
                copy.close()
    except OSError:
        pass  # it ended meanwhile, or is not ours to look into
    finally:
        os.close(handle)
    return copies


def matching(
    found: Sequence[socket.socket], settings: InstanceSettings
) -> list[BoundListener] | None:
    """The sockets in the order of the wish, the others closed; None (all closed) when one lacks.

    Port 0 means any port: then the sockets are taken in their order.
    """
    left = list(found)
    chosen: list[BoundListener] = []
    for scheme, address in wished(settings):
        wish = parse_address(address, scheme)
        fit = next((one for one in left if wish.port in (0, one.getsockname()[1])
                    and one.getsockname()[0] == wish.host), None)  # fmt: skip
        if fit is None:
            break
        # One socket may stand several times among a process's descriptors.
        name = fit.getsockname()
        for twin in [one for one in left if one is not fit and one.getsockname() == name]:
            left.remove(twin)
            twin.close()
        left.remove(fit)
        host = f"[{name[0]}]" if fit.family == socket.AF_INET6 else name[0]
        chosen.append(BoundListener(scheme=scheme, address=f"{host}:{name[1]}", sockets=(fit,)))
    whole = len(chosen) == len(wished(settings))
    for one in left if whole else [*left, *(each.sockets[0] for each in chosen)]:
        one.close()
    return chosen if whole else None


def _is_socket(entry: Path) -> bool:
    try:
        return str(entry.readlink()).startswith("socket:")
    except OSError:
        return False  # closed meanwhile, as a visitor's connection is


def _copied(handle: int, number: int) -> socket.socket | None:
    import ctypes  # only a supervisor that takes a daemon over needs it

    system = ctypes.CDLL(None, use_errno=True)
    copy = system.syscall(_PIDFD_GETFD, handle, number, 0)
    return None if copy < 0 else socket.socket(fileno=copy)


def _listens(one: socket.socket) -> bool:
    if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
        return False
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
