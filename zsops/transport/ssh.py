"""Hosts over SSH: one connection a session, jump hosts shared, every server's key verified.

One connection carries one exec channel on which `zsops-host serve` speaks the frames of
`framed.py`. Every server on the way, hop or host, must show a key that known_hosts knows before
anything is said to it.
"""

from __future__ import annotations

import contextlib
import random
import shlex
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zsops.errors import HostKeyRefused, HostUnreachable, LinkLost, ProtocolMismatch
from zsops.transport import known_hosts as keys
from zsops.transport.framed import FramedSession
from zsops.transport.known_hosts import KnownHosts
from zsops.transport.limits import Limits
from zsops.transport.ssh_config import Endpoint, Route, SshWish, resolve
from zsops.transport.ssh_connection import (
    Connection,
    NoCommonKey,
    Ran,
    Stream,
    TooBusy,
    pumped,
    tcp,
    without_ssh,
)

_BANNER_ATTEMPTS = 6
_BANNER_PAUSE_S = 0.2
_PLACE_PATIENCE_S = 300.0
_DIAL_TIMEOUT_S = 5.0
_PROGRAM_MISSING = 127  # what shells say for a command that does not exist


@dataclass(frozen=True)
class Remote:
    """How to start the on-host half at the end of a way."""

    program: tuple[str, ...] = ("zsops-host",)
    root: str | None = None  # None: where the host has it by default
    instances: tuple[str, ...] = ()  # what this session may touch; empty: all
    sudo: bool = False

    @property
    def command(self) -> str:
        """The command line; quoted, since sshd hands it to the login shell."""
        argv = [*(("sudo", "-n") if self.sudo else ()), *self.program, "serve"]
        if self.root is not None:
            argv += ["--root", self.root]
        for instance in self.instances:
            argv += ["--instance", instance]
        return shlex.join(argv)


class SshTransport:
    """`Transport` to one host."""

    def __init__(self, host: str, wish: SshWish, remote: Remote, network: SshNetwork) -> None:
        self._host = host
        self._wish = wish
        self._remote = remote
        self._network = network

    @property
    def host(self) -> str:
        return self._host

    @property
    def may_stay(self) -> bool:
        """A jump host has few places, and others wait for them."""
        return not self._network.has_hops(self._wish)

    def connect(self) -> FramedSession:
        """A new connection to the host (jump hosts are kept), and `zsops-host` at its end."""
        connection = self._network.connect(self._wish)
        try:
            return _session(connection, self._remote.command)
        except BaseException:
            connection.close()
            raise

    def run(self, command: str, timeout_s: float) -> Ran:
        """Run one command there, through the login shell. Raises HostUnreachable."""
        connection = self._network.connect(self._wish)
        try:
            return connection.execute(command).drain(timeout_s)
        finally:
            connection.close()

    def untrusted(self) -> Untrusted | None:
        """The first server on the way whose key nobody has pinned yet; None when all are known."""
        return self._network.untrusted(self._wish)


@dataclass(frozen=True)
class Untrusted:
    """A server, the keys it shows (unverified: for a person), and where they would be pinned."""

    name: str
    keys: tuple[bytes, ...]
    file: Path
    is_hop: bool


class SshNetwork:
    """The SSH connections of one invocation: known keys, shared hops, limits. For any thread."""

    def __init__(
        self, limits: Limits | None = None, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        self.limits = limits or Limits()
        self._warn = warn
        self._lock = threading.Lock()
        self._hops: dict[tuple[Endpoint, ...], _Hop] = {}
        self._known: dict[tuple[Path, ...], KnownHosts] = {}
        self._routes: dict[SshWish, Route] = {}

    def connect(self, wish: SshWish) -> Connection:
        """A fresh connection, logged in. Raises HostUnreachable and ConfigError."""
        route = self._route(wish)
        return self._open(route.hops, route.target)

    def has_hops(self, wish: SshWish) -> bool:
        """Whether the way leads through jump hosts. Raises HostUnreachable, ConfigError."""
        return bool(self._route(wish).hops)

    def close(self) -> None:
        """End the connections to jump hosts; never raises."""
        with self._lock:
            hops, self._hops = list(self._hops.values()), {}
        for hop in hops:
            hop.close()

    def untrusted(self, wish: SshWish) -> Untrusted | None:
        """See `SshTransport.untrusted`. Raises HostKeyRefused where a known key has changed."""
        route = self._route(wish)
        for at, server in enumerate(route.endpoints):
            hops, known = route.endpoints[:at], self._known_hosts(server)
            accepted = known.algorithms(server.key_name)
            if accepted:
                connection = self._dial(hops, server, accepted)
                try:
                    known.check(server.key_name, connection.host_key, time.time())
                finally:
                    connection.close()
                continue
            if not server.known_hosts:
                raise HostKeyRefused(
                    f"there is no file to pin the key of `{server.key_name}` in",
                    hint="set `defaults.ssh.known_hosts`",
                )
            return Untrusted(
                server.key_name,
                self._shown_keys(hops, server),
                server.known_hosts[0],
                is_hop=server != route.target,
            )
        return None

    def _shown_keys(self, hops: tuple[Endpoint, ...], server: Endpoint) -> tuple[bytes, ...]:
        found = []
        for algorithm in keys.plain_algorithms():
            with contextlib.suppress(NoCommonKey):
                connection = self._dial(hops, server, (algorithm,))
                found.append(connection.host_key)
                connection.close()
        return tuple(found)

    def _route(self, wish: SshWish) -> Route:
        with self._lock:
            if wish not in self._routes:
                self._routes[wish] = self._resolve(wish)
            return self._routes[wish]

    def _resolve(self, wish: SshWish) -> Route:
        try:
            return resolve(wish)
        except FileNotFoundError:
            self._warn("there is no `ssh` here to ask for its settings; reading them ourselves")
            return Route(without_ssh(wish))
        except (OSError, TimeoutError) as error:
            raise HostUnreachable(f"`ssh -G {wish.address}`: {error}") from error

    def _open(self, hops: tuple[Endpoint, ...], target: Endpoint) -> Connection:
        known = self._known_hosts(target)
        accepted = known.algorithms(target.key_name)
        if not accepted:
            files = ", ".join(f"`{each}`" for each in target.known_hosts) or "no file"
            raise HostKeyRefused(
                f"no key is known for `{target.key_name}` (looked in {files})",
                hint="`zsops hosts trust` shows the fingerprints and writes them down",
            )
        with self.limits.handshake() if not hops else contextlib.nullcontext():
            connection = self._dial(hops, target, accepted)
            try:
                known.check(target.key_name, connection.host_key, time.time())
                connection.log_in()
            except BaseException:
                connection.close()
                raise
        connection.limits = self.limits
        return connection

    def dial(self, wish: SshWish, host: str, port: int) -> socket.socket:
        """A TCP connection to `host`, as it is seen from the last jump host on the way.

        Raises HostUnreachable, and OSError where there is no jump host.
        """
        route = self._route(wish)
        hops = route.hops
        if host == wish.address:
            host = route.target.host  # it may be a name that only ssh's configuration knows
        if not hops:
            return socket.create_connection((host, port), _DIAL_TIMEOUT_S)
        return pumped(self._hop(hops).stream(Endpoint(host, port, "", host)))

    def _dial(
        self, hops: tuple[Endpoint, ...], target: Endpoint, accepted: tuple[str, ...]
    ) -> Connection:
        """Reach the server and exchange keys, trying again where it was merely too busy."""
        for attempt in range(_BANNER_ATTEMPTS):
            try:
                if not hops:
                    return Connection(target, tcp(target), accepted)
                return self._hop(hops).connection(target, accepted)
            except TooBusy:
                if attempt + 1 == _BANNER_ATTEMPTS:
                    raise
                # Jitter: the others that were turned away come back as well.
                time.sleep(_BANNER_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError("the last attempt raises")

    def _hop(self, hops: tuple[Endpoint, ...]) -> _Hop:
        with self._lock:
            hop = self._hops.get(hops)
            if hop is None:
                hop = self._hops[hops] = _Hop(
                    lambda: self._open(hops[:-1], hops[-1]), self.limits.per_jump
                )
        return hop

    def _known_hosts(self, endpoint: Endpoint) -> KnownHosts:
        files = endpoint.known_hosts
        with self._lock:
            if files not in self._known:
                self._known[files] = KnownHosts.load(files)
            return self._known[files]


class _Hop:
    """A jump host: one connection, opened when first needed, opened anew when it died."""

    def __init__(self, dial: Callable[[], Connection], places: int) -> None:
        """`places`: connections through it at a time."""
        self._dial = dial
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(places)
        self._connection: Connection | None = None

    def connection(self, target: Endpoint, accepted: tuple[str, ...]) -> Connection:
        """A connection through the hop; it holds one of the hop's places until it is closed."""
        if not self._places.acquire(timeout=_PLACE_PATIENCE_S):
            raise HostUnreachable(
                f"no place on the way to `{target.host}` became free for {_PLACE_PATIENCE_S:g} s",
                hint="`--per-jump` says how many connections a jump host carries at a time",
            )
        try:
            made = Connection(target, self.stream(target), accepted)
        except BaseException:
            self._places.release()
            raise
        made.on_close = self._places.release
        return made

    def stream(self, target: Endpoint) -> Stream:
        """A TCP stream from the hop to `target`."""
        with self._lock:
            if self._connection is None or not self._connection.is_alive:
                self._connection = self._dial()
            connection = self._connection
        return connection.forward(target)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()


def _session(connection: Connection, command: str) -> FramedSession:
    pipe = connection.execute(command)

    def close() -> None:
        pipe.close()
        connection.close()

    try:
        return FramedSession(pipe, pipe, close)
    except (LinkLost, ProtocolMismatch) as error:
        words, code = pipe.last_words()
        if isinstance(error, ProtocolMismatch) and code != _PROGRAM_MISSING:
            raise
        name = connection.endpoint.host
        ended = f" with {code}" if code is not None else ""
        raise HostUnreachable(
            f"`{command}` ended{ended} on `{name}`" + (f": {words}" if words else ""),
            hint=f"is `zsops-host` installed there? try `ssh {name} zsops-host --help`",
        ) from error
