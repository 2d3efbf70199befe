"""The one place of the bench that starts programs: pinned to a core, stopped by pid."""

from __future__ import annotations

import os
import socket
import subprocess  # noqa: TID251 -- this is the one place here that starts programs
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Finished:
    """How a program ended and what it said, both streams in one."""

    code: int
    said: str
    stdout: str


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    core: int | None = None,
    timeout_s: float = 120,
) -> Finished:
    """Run a program to its end. A program that is missing or too slow ends with code 127 or 124."""
    try:
        done = subprocess.run(
            _pinned(argv, core),
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout_s,
        )
    except OSError as error:
        return Finished(127, f"{argv[0]}: {error.strerror}", "")
    except subprocess.TimeoutExpired:
        return Finished(124, f"{argv[0]} took more than {timeout_s:.0f} s", "")
    return Finished(done.returncode, done.stdout + done.stderr, done.stdout)


@dataclass
class Running:
    """A server on `SERVER_CORE`; a context that waits until it accepts and stops it at the end."""

    argv: Sequence[str]
    port: int
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The root of the server's process tree."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Running:
        with self.log.open("wb") as sink:
            self._process = subprocess.Popen(
                _pinned(self.argv, SERVER_CORE),
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.03)
            else:
                return self
        self.__exit__()
        raise RuntimeError(f"{self.argv[0]} did not start: {self.log.read_text()[-600:]}")

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pinned(argv: Sequence[str], core: int | None) -> list[str]:
    if core is None:
        return list(argv)
    # Root may go before other programs; for others the report says how much of the core they took.
    first = ["nice", "-n", "-20"] if os.geteuid() == 0 else []
    return [*first, "taskset", "-c", str(core), *argv]


class Beside:
    """A program that runs until it is stopped, and says nothing."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    @property
    def pid(self) -> int:
        """The program's."""
        return self._process.pid

    def stop(self) -> None:
        """End it; by its own handle."""
        self._process.kill()
        self._process.wait()
