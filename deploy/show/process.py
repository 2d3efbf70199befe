"""Programs that the demonstration starts, and how they are stopped: by pid, never by name."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess  # noqa: TID251 -- this is the one place here that starts programs
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The directory of the interpreter that runs this: its console scripts lie beside it.
PROGRAMS = Path(sys.executable).parent
STOP_TIMEOUT_S = 15.0


class CommandError(Exception):
    """A command ended with another code than 0; the text is what it said."""


@dataclass(frozen=True)
class Finished:
    """What a command said. `said` is stdout, then stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """Both outputs as lines for people."""
        return "\n".join(filter(None, (self.stdout.strip(), self.stderr.strip())))


def run(
    argv: list[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 300
) -> Finished:
    """Run a console script of ours (or `python`) to its end. Raises CommandError if it fails."""
    environment = {**os.environ, **(env or {}), "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            [str(PROGRAMS / argv[0]), *argv[1:]],
            cwd=cwd,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout_s,
        )
    except OSError as error:
        raise CommandError(f"`{argv[0]}` cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"`{' '.join(argv)}` took more than {timeout_s:.0f} s") from None
    finished = Finished(done.returncode, done.stdout, done.stderr)
    if done.returncode != 0:
        raise CommandError(
            f"`{' '.join(argv)}` ended with {done.returncode}\n{finished.said[-1500:]}"
        )
    return finished


class Server:
    """A server in the foreground of the demonstration; its stderr goes to a file."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [str(PROGRAMS / argv[0]), *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    @property
    def pid(self) -> int:
        """The process that was started (a re-exec keeps it)."""
        return self._process.pid

    def wait_line(self, start: str, timeout_s: float = 20) -> str:
        """The first log line that begins with `start`. Raises CommandError if none comes."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines():
                if line.startswith(start):
                    return line
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise CommandError(f"the server did not say `{start}`\n{self.log.read_text()[-1500:]}")

    def stop(self) -> int:
        """SIGTERM, then SIGKILL after a while. Returns the exit code."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def pids_of(root: Path) -> list[int]:
    """Processes that were started for `root`, eldest first.

    A detached supervisor is nobody's child, so they are told by what only they carry: the path of
    this run's own temporary directory, in their environment or on their command line.
    """
    mark = os.fsencode(root)
    found: list[tuple[int, int]] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            carries = mark in (entry / "environ").read_bytes()
            carries = carries or mark in (entry / "cmdline").read_bytes()
            if carries:
                started = (entry / "stat").read_text().rpartition(")")[2].split()[19]
                found.append((int(started), int(entry.name)))
    return [pid for _, pid in sorted(found)]


def stop_all(root: Path) -> list[int]:
    """Stop what `pids_of` finds, the supervisor before its daemon. Returns whom it had to kill."""
    stubborn: list[int] = []
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while pids := pids_of(root):
        late = time.monotonic() > deadline
        pid = pids[0]
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(handle, signal.SIGKILL if late else signal.SIGTERM)
                select.select([handle], [], [], 5.0)
            finally:
                os.close(handle)
        if late:
            stubborn.append(pid)
    return stubborn


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rings(pid: int) -> int:
    """How many io_uring instances the process has open, as the kernel tells."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(entry.readlink()) == "anon_inode:[io_uring]"
    return count
