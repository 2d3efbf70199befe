"""Client of the control socket: asks a running server for its state, for a reload, or to drain."""

import json
import os
import socket as sockets
from pathlib import Path
from typing import NamedTuple

from zeroserve.control import wire
from zeroserve.errors import ControlRefused, DaemonNotRunning

SOCKET_PATH_BYTES_MAX = 107  # sun_path has 108 bytes and ends with a zero


class ReloadAnswer(NamedTuple):
    """What came of a reload.

    When `ok` is false the old generation goes on serving and `error` says why.
    """

    ok: bool
    id: int
    generation: int | None
    release_digest: str | None
    error: str | None


def default_socket() -> Path:
    """Where the verbs look when no `--control` is given:

    `${XDG_RUNTIME_DIR:-/run}/zeroserve/control.sock`.
    """
    return Path(os.environ.get("XDG_RUNTIME_DIR") or "/run") / "zeroserve" / "control.sock"


class ControlClient:
    """Talks to one server. Every call is one connection and takes at most `timeout_s` seconds per
    direction.
    """

    def __init__(self, socket: Path, timeout_s: float) -> None:
        """Name the socket; nothing is opened yet."""
        self._socket = socket
        self._timeout_s = timeout_s

    def status(self) -> dict[str, object]:
        """The server's state, as its `/status` gives it.

        Raises `DaemonNotRunning`, `ControlRefused`.
        """
        return self._json(self._ask("GET", "/status", b"", expected=(200,)))

    def metrics(self) -> str:
        """The server's counters in the Prometheus text format. Raises as `status`."""
        return self._ask("GET", "/metrics", b"", expected=(200,)).body.decode()

    def reload(self, expect: str | None) -> ReloadAnswer:
        """Reload, and wait until it is done.

        `expect` is the release digest that must be found, else nothing changes.

        Raises `DaemonNotRunning`, `ControlRefused`; a refused reload is an answer, not an
        exception.
        """
        body = b"" if expect is None else json.dumps({"expect": expect}).encode()
        answer = self._json(self._ask("POST", "/reload", body, expected=(200, 409)))
        ok, number = answer.get("ok"), answer.get("id")
        generation, digest, error = (
            answer.get("generation"),
            answer.get("release_digest"),
            answer.get("error"),
        )
        if not isinstance(ok, bool) or not isinstance(number, int):
            raise self._strange("a reload's answer without `ok` and `id`")
        return ReloadAnswer(
            ok=ok,
            id=number,
            generation=generation if isinstance(generation, int) else None,
            release_digest=digest if isinstance(digest, str) else None,
            error=error if isinstance(error, str) else None,
        )

    def drain(self) -> None:
        """Ask the server to finish what it has and to end. Returns at once. Raises as `status`."""
        self._ask("POST", "/drain", b"", expected=(202,))

    def _ask(
        self, method: str, path: str, body: bytes, *, expected: tuple[int, ...]
    ) -> wire.Message:
        try:
            answer = self._exchange(wire.request_bytes(method, path, body))
        except TimeoutError:
            raise ControlRefused(
                "control-answer",
                f"the server behind `{self._socket}` did not answer within {self._timeout_s:g} s",
            ) from None
        except (OSError, wire.WireError) as error:
            raise self._strange(str(error)) from error
        if answer is None:
            raise self._strange("the connection closed without an answer")
        status = answer.first[1]
        if status not in [str(code) for code in expected]:
            text = answer.body.decode(errors="replace").strip()[:200]
            raise self._strange(f"status {status} {text}")
        return answer

    def _exchange(self, request: bytes) -> wire.Message | None:
        if len(os.fsencode(self._socket)) > SOCKET_PATH_BYTES_MAX:
            raise ControlRefused(
                "control-unusable",
                f"`{self._socket}` is longer than a unix socket's path may be "
                f"({SOCKET_PATH_BYTES_MAX} bytes)",
                hint="choose a shorter path",
            )
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as peer:
            peer.settimeout(self._timeout_s)
            try:
                peer.connect(os.fspath(self._socket))
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                raise DaemonNotRunning(
                    "daemon-not-running",
                    f"no zeroserve answers on `{self._socket}`",
                    hint="start it with `--control PATH`, and name the same path here",
                ) from None
            except PermissionError:
                raise ControlRefused(
                    "control-unusable",
                    f"`{self._socket}`: permission denied",
                    hint="ask as the user the server runs as",
                ) from None
            peer.sendall(request)
            return wire.read_message(peer, self._timeout_s)

    def _json(self, answer: wire.Message) -> dict[str, object]:
        try:
            value = json.loads(answer.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self._strange("a body that is no JSON object")
        return value

    def _strange(self, what: str) -> ControlRefused:
        return ControlRefused(
            "control-answer", f"`{self._socket}` did not answer as a zeroserve does: {what}"
        )
