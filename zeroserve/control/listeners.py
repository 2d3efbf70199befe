"""Listeners: addresses become listening sockets, exclusive unless sharing was asked for.

Accepting is the engine's. A group of sockets with SO_REUSEPORT, one for each event loop, is made
only after a bind without it has shown that nobody else has the port: SO_REUSEPORT alone would let
a second server in silently.
"""

import errno
import os
import socket
import stat

from zeroserve.config.record import Record
from zeroserve.errors import ListenRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroserve.config.model import ListenAddress

BACKLOG = 4096  # the kernel caps it at net.core.somaxconn, which is 4096 since Linux 5.4


class BoundListener(Record):
    """Listening sockets of one address, one for each event loop. `address` has the real port."""

    scheme: str
    address: str
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        """Close every socket."""
        for one in self.sockets:
            one.close()


def bind_all(
    addresses: "Sequence[ListenAddress]", *, threads: int, reuse_port: bool
) -> list[BoundListener]:
    """Bind and listen on every address, or on none. Raises `ListenRefused`."""
    bound: list[BoundListener] = []
    try:
        for address in addresses:
            bound.append(_bind(address, threads, reuse_port))  # noqa: PERF401  # kept for undoing
    except BaseException:
        for listener in bound:
            listener.close()
        raise
    return bound


def _bind(address: "ListenAddress", threads: int, reuse_port: bool) -> BoundListener:
    if address.kind == "fd":
        return _adopt(address, threads)
    if address.kind == "unix":
        return _bind_unix(address, threads)
    return _bind_tcp(address, threads, reuse_port)


def _bind_tcp(address: "ListenAddress", threads: int, reuse_port: bool) -> BoundListener:
    sockets: list[socket.socket] = []
    port = address.port
    try:
        if threads > 1 and not reuse_port:
            with _tcp_socket(address.host, shared=False) as probe:
                probe.bind((address.host, port))
                probe.listen(1)
                port = probe.getsockname()[1]
        shared = threads > 1 or reuse_port
        for _ in range(threads):
            one = _tcp_socket(address.host, shared=shared)
            sockets.append(one)
            one.bind((address.host, port))
            one.listen(BACKLOG)
            port = one.getsockname()[1]
    except OSError as error:
        for one in sockets:
            one.close()
        raise _refusal(address, error) from error
    host = f"[{address.host}]" if ":" in address.host else address.host
    return BoundListener(scheme=address.scheme, address=f"{host}:{port}", sockets=tuple(sockets))


def _tcp_socket(host: str, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # Without it a restart would have to wait for the TIME_WAIT of old connections.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    except BaseException:
        one.close()
        raise
    return one


def _bind_unix(address: "ListenAddress", threads: int) -> BoundListener:
    one = socket.socket(
        socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    )
    try:
        remove_stale_socket(address.path)
        one.bind(address.path)
        one.listen(BACKLOG)
    except OSError as error:
        one.close()
        raise _refusal(address, error) from error
    return BoundListener(scheme=address.scheme, address=address.text, sockets=_copies(one, threads))


def remove_stale_socket(path: str) -> None:
    """Remove the socket file of a process that is gone.

    Raises `OSError` with `EADDRINUSE` when somebody answers there, or when the file is no socket.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EADDRINUSE, "a file of that name is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(2)
        try:
            peer.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108  # pathlib is not loaded in the daemon
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass  # its backlog is full: very much alive
    raise OSError(errno.EADDRINUSE, "another process answers there")


def _adopt(address: "ListenAddress", threads: int) -> BoundListener:
    try:
        one = socket.socket(fileno=address.fd)
    except OSError as error:
        raise ListenRefused(
            "address-refused",
            f"`{address.text}` is no open socket",
            hint="the parent must pass a listening socket under that number",
        ) from error
    listening = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if one.type != socket.SOCK_STREAM or not listening:
        one.detach()  # it is not ours to close
        raise ListenRefused("address-refused", f"`{address.text}` is no listening stream socket")
    one.setblocking(False)
    one.set_inheritable(False)
    return BoundListener(
        scheme=address.scheme, address=_name_of(one, address), sockets=_copies(one, threads)
    )


def _name_of(one: socket.socket, address: "ListenAddress") -> str:
    name = one.getsockname()
    if one.family == socket.AF_INET:
        return f"{name[0]}:{name[1]}"
    if one.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    return f"unix:{name}" if isinstance(name, str) and name else address.text


def _copies(one: socket.socket, threads: int) -> tuple[socket.socket, ...]:
    # These cannot be a group: the loops accept from one queue.
    return (one, *(one.dup() for _ in range(threads - 1)))


def _refusal(address: "ListenAddress", error: OSError) -> ListenRefused:
    text = address.text
    if error.errno == errno.EADDRINUSE:
        hint = "stop what listens there (`ss -ltnp` shows it) or choose another address"
        if address.kind == "tcp":
            hint += "; `--reuse-port` shares a port on purpose"
        what = "is in use already" if address.kind == "tcp" else f"cannot be used: {error.strerror}"
        return ListenRefused("address-in-use", f"`{text}` {what}", hint=hint)
    return ListenRefused(
        "address-refused",
        f"cannot listen on `{text}`: {(error.strerror or str(error)).lower()}",
        hint=_remedy(address, error),
    )


def _remedy(address: "ListenAddress", error: OSError) -> str | None:
    if error.errno in (errno.EACCES, errno.EPERM) and 0 < address.port < 1024:
        return (
            "ports below 1024 need a right: `setcap cap_net_bind_service`, systemd's "
            "`AmbientCapabilities=CAP_NET_BIND_SERVICE`, or a socket passed as `fd:N`"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return "`ip addr` lists the addresses of this machine; `:PORT` takes all of them"
    if error.errno == errno.EAFNOSUPPORT:
        return "this machine has no IPv6: use `0.0.0.0:PORT`"
    return None
