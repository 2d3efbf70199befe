"""Programs that the tests start, run or stop: the only place here that uses `subprocess`.

A program is signalled by the handle it was started with, never by name: other people's processes
run on this machine.
"""

from __future__ import annotations

import os
import signal
import subprocess  # noqa: TID251 -- the one place in the tests that starts programs
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.polling import wait_until

#: Console scripts lie beside the interpreter that runs the tests.
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Finished:
    """How a program ended, and what it said."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what changes a program's words or has it compile itself at each start."""
    unwanted = ("NOTIFY_SOCKET", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**kept, "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 120,
) -> Finished:
    """Run a program to its end, whatever its exit code. No input."""
    done = subprocess.run(
        [os.fspath(each) for each in argv],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
    )
    return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def zeroserve(*arguments: str | Path, cwd: Path | None = None, timeout_s: float = 30) -> Finished:
    """Run a command of ours that ends by itself."""
    return run([PROGRAMS / "zeroserve", *arguments], cwd=cwd, timeout_s=timeout_s)


class Program:
    """A program that keeps running; its stderr and stdout go to `log`."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.log = log
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [os.fspath(each) for each in argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=environment(env),
                cwd=cwd,
                pass_fds=tuple(pass_fds),
            )

    @property
    def pid(self) -> int:
        """The process that was started; a re-exec keeps it."""
        return self._process.pid

    @property
    def said(self) -> str:
        """Everything written so far."""
        return self.log.read_text(errors="replace")

    def ended(self) -> int | None:
        """The exit code, or None while it runs. A signal is a negative number."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        """Wait for its end. Raises `AssertionError` with what it said if it goes on."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s:\n{self.said}") from None

    def wait_said(self, text: str, timeout_s: float = 30) -> str:
        """Wait until `text` was written, and return everything. Raises `AssertionError`."""
        wait_until(
            lambda: text in self.said or self.ended() is not None,
            timeout_s=timeout_s,
            what=f"`{text}`",
            state=lambda: self.said,
        )
        said = self.said
        assert text in said, f"ended with {self.ended()} before it said `{text}`:\n{said}"
        return said

    def kill(self) -> None:
        """End it the hard way, for a test that failed already."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
