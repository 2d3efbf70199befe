"""One SSH connection, by paramiko, and nowhere else: keys, login, streams, commands.

Nothing waits for ever: see `_Watched` for a peer that went silent. Whom to trust is not decided
here; a `Connection` shows the key that the server proved to have, and logs in when it is told to.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import paramiko
from paramiko.agent import Agent
from paramiko.pkey import PublicBlob, UnknownKeyType
from paramiko.ssh_exception import IncompatiblePeer

from zsops.errors import HostUnreachable, LinkLost, LoginRefused
from zsops.host.frames import Payload, encode
from zsops.transport import known_hosts as keys
from zsops.transport.limits import Limits
from zsops.transport.ssh_config import Endpoint, SshWish

BANNER_TIMEOUT_S = 15.0
_HANDSHAKE_TIMEOUT_S = 20.0
_AUTH_TIMEOUT_S = 20.0
_OPEN_TIMEOUT_S = 20.0
#: A request may wait for the host's lock (120 s) and then for reload, start and health.
_ANSWER_PATIENCE_S = 600.0
_WRITE_PATIENCE_S = 60.0
#: What may wait unsent in the kernel: more would let keep-alives queue behind an upload for
#: minutes on a slow line, and a live peer would look dead.
_UNSENT_BYTES = 128 << 10
_NOTSENT_LOWAT = 25  # <linux/tcp.h>
_STDERR_BYTES = 4096
_LAST_WORDS_S = 2.0
_DRAIN_POLL_S = 0.02
_KEEPALIVE = "keepalive@openssh.com"

#: What carries a connection: TCP, or a channel of the connection to a jump host.
Stream = socket.socket | paramiko.Channel

logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)  # errors are raised, not printed


@dataclass(frozen=True)
class Ran:
    """A command that ended on a host; code -1: it was killed there."""

    code: int
    output: bytes
    errors: bytes


class TooBusy(HostUnreachable):
    """The server hung up before it said who it is: it has too many unfinished logins."""


class NoCommonKey(HostUnreachable):
    """The server has no host key of a type that was asked for."""


class _Watched:
    """The stream under a connection; breaks it when the peer has been silent for too long.

    A cut line or a stopped sshd raises no error by itself. When nothing came for an interval the
    peer is asked for a sign of life, which every sshd answers at once, whatever its session does.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._heard = time.monotonic()
        self._asked = self._heard
        self._interval_s = 0.0
        self._dead_after_s = 0.0
        self._ask: Callable[[], None] = lambda: None
        self.broken: str | None = None
        self._closed = False

    def watch(self, interval_s: float, count: int, ask: Callable[[], None]) -> None:
        """From now on: ask after `interval_s`, give up after `count` intervals."""
        self._heard = time.monotonic()
        self._ask = ask
        self._dead_after_s = interval_s * count
        self._interval_s = interval_s

    def recv(self, size: int) -> bytes:
        try:
            data = self._stream.recv(size)
        except TimeoutError:
            self._look()
            raise
        self._heard = time.monotonic()
        return data

    def send(self, data: bytes) -> int:
        try:
            return self._stream.send(data)
        except TimeoutError:
            self._look(may_ask=False)  # the asking itself sends, and waits for this very call
            raise

    def settimeout(self, timeout: float | None) -> None:
        self._stream.settimeout(timeout)

    def close(self) -> None:
        self._closed = True  # paramiko looks at this name of a socket's
        self._stream.close()

    def _look(self, *, may_ask: bool = True) -> None:
        if not self._interval_s:
            return
        now = time.monotonic()
        if now - self._heard >= self._dead_after_s:
            self.broken = f"it has been silent for {now - self._heard:.0f} s"
            # With a number, as from the system: paramiko's thread reads both when it ends.
            raise ConnectionAbortedError(errno.ECONNABORTED, self.broken)
        quiet_since = max(self._heard, self._asked)
        if may_ask and now - quiet_since >= self._interval_s:
            self._asked = now
            self._ask()


class _Client(paramiko.Transport):
    """Offers only the host key types that can be verified."""

    accepted_keys: tuple[str, ...] = ()

    @property
    def preferred_keys(self) -> Sequence[str]:
        return self.accepted_keys

    def send_request(self, request: paramiko.Message) -> None:
        """Send a message of ours, for which paramiko has no public door."""
        self._send_user_message(request)  # type: ignore[attr-defined]


class Connection:
    """One SSH connection: keys exchanged; `log_in`, then use it."""

    limits: Limits | None = None
    on_close: Callable[[], None] | None = None  # once, when it is closed

    def __init__(
        self,
        endpoint: Endpoint,
        stream: Stream,
        accepted: tuple[str, ...],
    ) -> None:
        self.endpoint = endpoint
        self._watched = _Watched(stream)
        # `Any`: paramiko wants a socket and uses the four methods of `_Watched`.
        self._client = _Client(cast("Any", self._watched))
        self._client.accepted_keys = accepted
        self._client.banner_timeout = BANNER_TIMEOUT_S
        self._client.handshake_timeout = _HANDSHAKE_TIMEOUT_S
        self._client.auth_timeout = _AUTH_TIMEOUT_S
        self._client.channel_timeout = _OPEN_TIMEOUT_S
        self._client.daemon = True
        self._exchange_keys()

    @property
    def is_alive(self) -> bool:
        """Whether it still stands, as far as known."""
        return self._client.is_active()

    @property
    def host_key(self) -> bytes:
        """The key (or certificate) the server proved to have, in wire form."""
        key = self._client.get_remote_server_key()
        certificate = key.public_blob
        return key.asbytes() if certificate is None else certificate.key_blob

    def why(self, said: str = "the server ended the connection") -> str:
        """Why it broke, for a message; `said` where nothing better is known."""
        if self._watched.broken is not None:
            return self._watched.broken
        return str(self._client.get_exception() or "") or said

    def close(self) -> None:
        """Never raises."""
        with contextlib.suppress(Exception):
            self._client.close()
        ended, self.on_close = self.on_close, None
        if ended is not None:
            ended()

    def log_in(self) -> None:
        """By the keys of the endpoint, the named ones first. Raises LoginRefused."""
        with _agent(self.endpoint) as held:
            refused: list[str] = []
            tried = self._try_keys(_login_keys(self.endpoint, held, refused), refused)
        if tried is None:
            self._watch()
            return
        said = [f"tried {', '.join(tried)}" if tried else "there was no key to try", *refused]
        raise LoginRefused(
            f"`{self.endpoint.shown}` refuses the login: {'; '.join(said)}",
            hint=f"does `ssh {self.endpoint.shown.partition(':')[0]}` get in? set `ssh.identity`",
        )

    def _try_keys(
        self, offered: Sequence[tuple[str, paramiko.PKey]], refused: list[str]
    ) -> list[str] | None:
        """None once a key was taken, else the names of those that were tried."""
        tried: list[str] = []
        for name, key in offered:
            tried.append(name)
            try:
                left = self._client.auth_publickey(self.endpoint.user, key)
            except paramiko.AuthenticationException:
                if not self._client.is_active():
                    break
                continue
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise HostUnreachable(
                    f"`{self.endpoint.shown}` hung up during the login ({error})"
                ) from error
            if not left:
                return None
            refused.append(f"{name} was taken, but the server also wants {' or '.join(left)}")
        return tried

    def forward(self, target: Endpoint) -> Stream:
        """A stream to `target` as the server sees it."""
        address = (target.host, target.port)
        try:
            return self._client.open_channel(
                "direct-tcpip", address, ("127.0.0.1", 0), timeout=target.connect_timeout_s
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HostUnreachable(
                f"`{target.host}:{target.port}` is not reached from `{self.endpoint.shown}`"
                f" ({error})"
            ) from error

    def execute(self, command: str) -> Pipe:
        """Start `command` there."""
        try:
            channel = self._client.open_session(timeout=_OPEN_TIMEOUT_S)
            channel.settimeout(_OPEN_TIMEOUT_S)
            channel.exec_command(command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HostUnreachable(
                f"`{self.endpoint.shown}` starts no program for us ({error})"
            ) from error
        return Pipe(self, channel)

    def _exchange_keys(self) -> None:
        began = time.monotonic()
        try:
            self._client.start_client(timeout=_HANDSHAKE_TIMEOUT_S)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise self._judge(error, time.monotonic() - began) from error

    def _judge(self, error: Exception, spent_s: float) -> HostUnreachable:
        name, said = self.endpoint.shown, str(error) or type(error).__name__
        if isinstance(error, IncompatiblePeer) and "host key" in said:
            return NoCommonKey(
                f"`{name}` has no host key of a type that is known for it",
                hint="`zsops hosts trust` shows which keys it has",
            )
        if "banner" in said or isinstance(error, EOFError):
            if spent_s < BANNER_TIMEOUT_S / 2:
                return TooBusy(
                    f"`{name}` hangs up before it says who it is",
                    hint="is that port an SSH server? it may also have too many logins at a time",
                )
            said = f"it says nothing for {spent_s:.0f} s"
        return HostUnreachable(f"`{name}` cannot be spoken to: {said}")

    def _watch(self) -> None:
        def ask() -> None:
            request = paramiko.Message()
            request.add_byte(b"\x50")  # SSH_MSG_GLOBAL_REQUEST (RFC 4254, section 4)
            request.add_string(_KEEPALIVE)
            request.add_boolean(True)  # with an answer, unlike paramiko's own keep-alive
            self._client.send_request(request)

        self._watched.watch(self.endpoint.alive_interval_s, self.endpoint.alive_count, ask)


class Pipe:
    """A program on the host: its stdin and stdout as `Sink` and `Source` of frames."""

    def __init__(self, connection: Connection, channel: paramiko.Channel) -> None:
        self._connection = connection
        self._channel = channel

    def read(self, size: int, /) -> bytes:
        self._channel.settimeout(_ANSWER_PATIENCE_S)
        try:
            data = self._channel.recv(size)
        except TimeoutError:
            raise LinkLost(
                f"`{self._connection.endpoint.host}` gave no answer for {_ANSWER_PATIENCE_S:g} s"
            ) from None
        if not data and not self._connection.is_alive:
            name = self._connection.endpoint.host
            raise LinkLost(f"the link to `{name}` broke: {self._connection.why()}")
        return data

    def send(self, payload: Payload, /) -> None:
        frame = encode(payload)
        if self._connection.limits is not None and isinstance(payload, bytes):
            self._connection.limits.spend(len(frame))
        self._channel.settimeout(_WRITE_PATIENCE_S)
        try:
            self._channel.sendall(frame)
        except (OSError, EOFError, paramiko.SSHException) as error:
            name = self._connection.endpoint.host
            why = self._connection.why(str(error) or type(error).__name__)
            raise LinkLost(f"the link to `{name}` broke: {why}") from error

    def close(self) -> None:
        """End the program's streams; never raises."""
        with contextlib.suppress(Exception):
            self._channel.close()

    def last_words(self) -> tuple[str, int | None]:
        """What a program that failed at once said on stderr, and its exit code."""
        with contextlib.suppress(OSError, EOFError):
            self._channel.settimeout(_LAST_WORDS_S)
            said = b""
            while len(said) < _STDERR_BYTES:
                piece = self._channel.recv_stderr(_STDERR_BYTES)
                if not piece:
                    break
                said += piece
            lines = said.decode("utf-8", "replace").strip().splitlines()
            ended = self._channel.status_event.wait(_LAST_WORDS_S)
            code = self._channel.recv_exit_status() if ended else None
            return (lines[-1] if lines else ""), code
        return "", None

    def drain(self, timeout_s: float) -> Ran:
        """Read the program's output until it ends; it gets no input."""
        self._channel.shutdown_write()
        end = time.monotonic() + timeout_s
        output, errors = bytearray(), bytearray()
        while True:
            # In this order: what is readable after the end was there at the end.
            ended = self._channel.exit_status_ready() and self._channel.eof_received
            while self._channel.recv_ready():
                output += self._channel.recv(64 << 10)
            while self._channel.recv_stderr_ready():
                errors += self._channel.recv_stderr(64 << 10)
            if ended:
                return Ran(self._channel.recv_exit_status(), bytes(output), bytes(errors))
            name = self._connection.endpoint.host
            if not self._connection.is_alive:
                raise LinkLost(f"the link to `{name}` broke: {self._connection.why()}")
            if time.monotonic() >= end:
                raise HostUnreachable(f"the command on `{name}` does not end in {timeout_s:g} s")
            time.sleep(_DRAIN_POLL_S)


def pumped(stream: Stream) -> socket.socket:
    """A stream of a jump host as a real socket, for what needs one (TLS)."""
    near, far = socket.socketpair()

    def pump(source: Stream, sink: Stream) -> None:
        with contextlib.suppress(OSError, EOFError):
            while data := source.recv(32 << 10):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError, EOFError):
                each.close()

    stream.settimeout(None)
    for source, sink in ((stream, far), (far, stream)):
        threading.Thread(target=pump, args=(source, sink), daemon=True).start()
    return near


def tcp(target: Endpoint) -> Stream:
    """A TCP connection to the server. Raises HostUnreachable."""
    try:
        stream = socket.create_connection((target.host, target.port), target.connect_timeout_s)
    except OSError as error:
        said = error.strerror or str(error)
        raise HostUnreachable(
            f"`{target.host}` port {target.port} is not reached: {said.lower()}",
            hint="is the address right, and does sshd run there?",
        ) from error
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(OSError):
        stream.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _UNSENT_BYTES)
    return stream


def _login_keys(
    endpoint: Endpoint, held: Sequence[paramiko.PKey], refused: list[str]
) -> list[tuple[str, paramiko.PKey]]:
    """(name, key) in the order to try. What cannot be used is explained in `refused`."""
    found: list[tuple[str, paramiko.PKey]] = []
    used: set[bytes] = set()
    for path in endpoint.identities:
        named = _identity(path, held, refused)
        if named is not None:
            found.append((f"`{path}`", named))
            used.add(named.asbytes())
    if not endpoint.identities_only:
        rest = [key for key in held if key.asbytes() not in used]
        found += [(f"the agent's {keys.fingerprint(key.asbytes())}", key) for key in rest]
    return found


def _identity(
    path: Path, held: Sequence[paramiko.PKey], refused: list[str]
) -> paramiko.PKey | None:
    """The key of an identity file: by the agent if it holds it, else from the file itself."""
    public = path.with_name(f"{path.name}.pub")
    with contextlib.suppress(OSError, ValueError, paramiko.SSHException):
        blob = PublicBlob.from_file(str(public)).key_blob
        for key in held:
            if key.asbytes() == blob:
                return key
    if not path.is_file():
        return None
    try:
        return paramiko.PKey.from_path(path)
    except paramiko.PasswordRequiredException:
        refused.append(f"`{path}` has a passphrase and the agent does not hold it")
    except TypeError:  # what `cryptography` says of an OpenSSH file with a passphrase
        refused.append(f"`{path}` has a passphrase and the agent does not hold it")
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        refused.append(f"`{path}` cannot be read ({error})")
    return None


@contextlib.contextmanager
def _agent(endpoint: Endpoint) -> Iterator[Sequence[paramiko.PKey]]:
    """The keys of the running agent, usable until the end; none without one."""
    if not endpoint.agent or not os.environ.get("SSH_AUTH_SOCK"):
        yield ()
        return
    agent = None
    try:
        agent = Agent()
        held: Sequence[paramiko.PKey] = agent.get_keys()
    except (OSError, paramiko.SSHException):
        held = ()
    try:
        yield held
    finally:
        if agent is not None:
            agent.close()


def without_ssh(wish: SshWish) -> tuple[Endpoint, ...]:
    """The way without asking `ssh`: its file read by paramiko, which knows less of it."""
    file = wish.config or Path("~/.ssh/config").expanduser()
    config = paramiko.SSHConfig()
    if file.is_file():
        config = paramiko.SSHConfig.from_path(str(file))
    found = config.lookup(wish.address)
    if "include" in found or wish.jump or "proxyjump" in found:
        raise HostUnreachable(
            f"the way to `{wish.address}` needs `Include` or `ProxyJump`, and there is no `ssh`",
            hint="install the OpenSSH client",
        )
    host = found.get("hostname", wish.address)
    port = wish.port or int(found.get("port", "22"))
    identities = tuple(Path(each).expanduser() for each in found.get("identityfile", ()))
    known = Path("~/.ssh/known_hosts").expanduser()
    endpoint = Endpoint(
        host=host,
        port=port,
        user=wish.user or found.get("user") or os.environ.get("USER", "root"),
        key_name=found.get("hostkeyalias", keys.server_name(host, port)),
        identities=identities if wish.identity is None else (wish.identity,),
        identities_only=wish.identity is not None or found.get("identitiesonly") == "yes",
        known_hosts=(wish.known_hosts or known,),
    )
    return (endpoint,)
