"""Server of the control socket: HTTP/1.1 over a unix socket with mode 0600, one request each.

Whoever can open the socket may reload and stop the server, so its rights are its authentication.
Each request is bounded in bytes and seconds.
"""

import errno
import json
import os
import socket
import sys

from zeroserve.control import wire
from zeroserve.control.acceptor import CONNECTIONS_MAX, Acceptor
from zeroserve.control.generation import is_digest
from zeroserve.control.listeners import remove_stale_socket
from zeroserve.control.metrics import CONTENT_TYPE as METRICS_TYPE
from zeroserve.errors import ControlRefused, ZeroserveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zeroserve.control.service import ReloadOutcome, Service

    Answer = tuple[int, str, bytes]

REQUEST_SECONDS = 10.0
PATH_BYTES_MAX = 107  # sun_path has 108 bytes and ends with a zero
JSON_TYPE = "application/json"
REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class ControlServer:
    """Listens from `open` to `close`. `POST /drain` calls `drain`, which must return at once."""

    def __init__(self, path: str, service: "Service", drain: "Callable[[], None]") -> None:
        """Name the parts; nothing is opened yet."""
        self._path = path
        self._service = service
        self._drain = drain
        self._acceptor = Acceptor("control", self._serve)
        self._inode = -1

    @staticmethod
    def claim(path: str) -> socket.socket:
        """Bind the path and set its rights, before anything is served. Raises `ControlRefused`.

        A socket file of a dead process is replaced, one that answers is not.
        """
        if len(os.fsencode(path)) > PATH_BYTES_MAX:
            raise ControlRefused(
                "control-unusable",
                f"`{path}` is longer than a unix socket's path may be ({PATH_BYTES_MAX} bytes)",
                hint="choose a shorter path",
            )
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        # Between bind and chmod nobody else may connect: the umask closes that gap.
        mask = os.umask(0o177)
        try:
            remove_stale_socket(path)
            listener.bind(path)
            listener.listen(CONNECTIONS_MAX)
        except OSError as error:
            listener.close()
            raise _claim_refusal(path, error) from error
        finally:
            os.umask(mask)
        return listener

    def open(self, listener: socket.socket) -> None:
        """Answer on a claimed socket, in threads of our own."""
        self._inode = os.stat(self._path).st_ino  # noqa: PTH116  # pathlib is not loaded here
        self._acceptor.open(listener)

    def close(self, timeout_s: float) -> bool:
        """Accept nothing more and remove the socket file. Returns whether every answer was sent."""
        self._acceptor.close()
        if self._inode >= 0:
            remove_own_socket(self._path, self._inode)
        return self._acceptor.wait_quiet(timeout_s)

    def _serve(self, peer: socket.socket) -> None:
        answer = self._receive_and_answer(peer)
        if answer is not None:
            _send(peer, answer)

    def _receive_and_answer(self, peer: socket.socket) -> "Answer | None":
        try:
            message = wire.read_message(peer, REQUEST_SECONDS)
        except wire.WireError as error:
            return _problem(400, str(error))
        return None if message is None else self._answer_safely(message)

    def _answer_safely(self, message: wire.Message) -> "Answer":
        try:
            return self._answer(message)
        except ZeroserveError as error:
            return _problem(500, f"{error.message} [{error.code}]")
        except Exception as error:  # the control socket must outlive a bug in one answer
            sys.stderr.write(f"error[engine-bug]: control socket: {error!r}\n")
            return _problem(500, f"a bug in zeroserve: {error!r}")

    def _answer(self, message: wire.Message) -> "Answer":
        method, path, version = message.first
        if not version.startswith("HTTP/1."):
            return _problem(400, "only HTTP/1.1 is spoken here")
        if self._acceptor.closed:
            return _problem(503, "the server is ending")
        route = {
            "/status": ("GET", self._status),
            "/metrics": ("GET", self._metrics),
            "/reload": ("POST", self._reload),
            "/drain": ("POST", self._begin_drain),
        }.get(path)
        if route is None:
            return _problem(404, "there are /status, /metrics, /reload and /drain")
        if method != route[0]:
            return _problem(405, f"`{path}` wants {route[0]}")
        return route[1](message.body)

    def _status(self, _body: bytes) -> "Answer":
        return _json(200, self._service.status())

    def _metrics(self, _body: bytes) -> "Answer":
        return 200, METRICS_TYPE, self._service.metrics().encode()

    def _reload(self, body: bytes) -> "Answer":
        try:
            expect = _parse_expect(body)
        except ValueError as error:
            return _problem(400, str(error))
        return _reload_answer(self._service.reload(expect))

    def _begin_drain(self, _body: bytes) -> "Answer":
        self._drain()
        return _json(202, {"ok": True})


def remove_own_socket(path: str, inode: int) -> None:
    """Remove the socket file, unless another process has put its own there meanwhile."""
    try:
        if os.stat(path).st_ino == inode:  # noqa: PTH116  # pathlib is not loaded here
            os.unlink(path)  # noqa: PTH108
    except OSError:
        return


def _parse_expect(body: bytes) -> str | None:
    if not body.strip():
        return None
    value = json.loads(body)
    if not isinstance(value, dict) or not set(value) <= {"expect"}:
        raise ValueError('the body must be `{"expect": "sha256:…"}` or empty')
    expect = value.get("expect")
    if expect is None:
        return None
    if not isinstance(expect, str) or not is_digest(expect):
        raise ValueError("`expect` is no digest: `sha256:` and 64 hex digits")
    return expect


def _reload_answer(outcome: "ReloadOutcome") -> "Answer":
    if not outcome.ok:
        return _json(409, {"ok": False, "id": outcome.id, "error": outcome.error})
    served = outcome.served
    return _json(
        200,
        {
            "ok": True,
            "id": outcome.id,
            "generation": served.number,
            "release_digest": served.release_digest,
            "site_digest": served.site_digest,
        },
    )


def _json(status: int, value: "dict[str, Any]") -> "Answer":
    return status, JSON_TYPE, json.dumps(value).encode() + b"\n"


def _problem(status: int, text: str) -> "Answer":
    return _json(status, {"ok": False, "error": text})


def _send(peer: socket.socket, answer: "Answer") -> None:
    status, content_type, body = answer
    peer.settimeout(REQUEST_SECONDS)
    peer.sendall(wire.response_bytes(status, REASONS[status], content_type, body))


def _claim_refusal(path: str, error: OSError) -> ControlRefused:
    if error.errno == errno.EADDRINUSE:
        return ControlRefused(
            "control-in-use",
            f"control socket `{path}`: {error.strerror}",
            hint="stop the other one, or choose another path",
        )
    hint = None
    if error.errno == errno.ENOENT:
        hint = f"create the directory: `mkdir -p {os.path.dirname(path)}`"  # noqa: PTH120
    why = (error.strerror or str(error)).lower()
    return ControlRefused("control-unusable", f"control socket `{path}`: {why}", hint=hint)
