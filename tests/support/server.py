"""A real zeroserve on loopback, on ports that the kernel chooses."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from support.certs import Certificate
from support.client import Connection
from support.process import PROGRAMS, Program
from zeroserve.control.client import ControlClient

START_S = 60
LISTENING = re.compile(r"^listening on (https?)://(\S+)$", re.MULTILINE)


class Server:
    """One running server; as a context manager it is stopped, and must end with 0."""

    def __init__(
        self,
        *arguments: str | Path,
        place: Path,
        certificate: Certificate | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        wait: bool = True,
    ) -> None:
        """Start it. `place` is a directory for its log and its control socket.

        With `certificate` it listens on HTTPS too. Ready when it returns, unless `wait` is False.
        """
        place.mkdir(parents=True, exist_ok=True)
        self.control_path = place / "control.sock"
        self.certificate = certificate
        argv: list[str | Path] = [PROGRAMS / "zeroserve", "--control", self.control_path]
        if certificate is not None:
            argv += ["--tls-addr", "127.0.0.1:0"]
            argv += ["--cert", certificate.cert, "--key", certificate.key]
        self.program = Program(
            [*argv, *arguments], place / "server.log", env=env, cwd=place, pass_fds=pass_fds
        )
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.program.kill()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.stop()
        else:
            self.program.kill()

    @property
    def pid(self) -> int:
        """The process id of the daemon."""
        return self.program.pid

    @property
    def said(self) -> str:
        """What it wrote to stderr so far."""
        return self.program.said

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """(scheme, address) of every listener, as it names them."""
        return LISTENING.findall(self.said)

    def address(self, scheme: str = "https") -> tuple[str, int]:
        """Host and port of the first listener with this scheme."""
        for found, text in self.addresses:
            if found == scheme and not text.startswith("unix:"):
                host, _, port = text.rpartition(":")
                return host.strip("[]"), int(port)
        raise AssertionError(f"no {scheme} listener:\n{self.said}")

    @property
    def url(self) -> str:
        """The address of the HTTPS listener for clients that check names."""
        return f"https://localhost:{self.address()[1]}"

    @property
    def control(self) -> ControlClient:
        """A client of its control socket."""
        return ControlClient(self.control_path, 60)

    def wait_ready(self) -> None:
        """Wait until it listens and answers on its control socket."""
        self.program.wait_said("listening on ", START_S)
        self.control.status()

    def connect(self) -> Connection:
        """A new connection to the HTTPS listener."""
        assert self.certificate is not None
        return Connection.tls(self.address("https"), self.certificate.context())

    def connect_plain(self) -> Connection:
        """A new connection to the HTTP listener."""
        return Connection.plain(self.address("http"))

    def stop(self) -> None:
        """SIGTERM; it must end with 0, soon, and without a complaint."""
        try:
            self.program.send(signal.SIGTERM)
            code = self.program.wait(30)
        except BaseException:
            self.program.kill()
            raise
        assert code == 0, f"ended with {code}:\n{self.said}"
        assert "Traceback" not in self.said
        assert "error[" not in self.said
