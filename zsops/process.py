"""The only place of zsops that starts programs, and that asks about running ones.

Programs are started from a list of arguments, never through a shell. A process is known by pid
*and* start time, since pids are used again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from zsops.frozen import frozen

# Loaded when a program is started: most sessions of `zsops-host` start none, and it brings a dozen
# modules along.
if TYPE_CHECKING:
    import subprocess  # noqa: TID251 - this is that place


@frozen
class Identity:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    started: int  # field 22 of /proc/PID/stat: clock ticks since boot

    def is_alive(self) -> bool:
        """False for a zombie too: it has ended, only nobody asked yet."""
        facts = _stat(self.pid)
        return facts is not None and facts[1] == self.started and facts[0] not in "ZX"

    def send(self, number: signal.Signals) -> bool:
        """Signal exactly this process; false when it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except (ProcessLookupError, OSError):
            return False
        try:
            # The descriptor holds the pid: if the start time still fits, it is the right process.
            if not self.is_alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def identity(pid: int) -> Identity | None:
    """Who runs under `pid` now."""
    facts = _stat(pid)
    return None if facts is None else Identity(pid, facts[1])


def own_identity() -> Identity:
    """This process."""
    mine = identity(os.getpid())
    assert mine is not None
    return mine


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything, so count from the last one.
    fields = text[text.rfind(")") + 2 :].split()
    return fields[0], int(fields[19])


def used_paths() -> Iterator[tuple[int, list[str] | None]]:
    """Each process of this machine, by pid: its arguments, and the files it has mapped.

    None where we may not see them: it has more rights than we, or has just ended.
    """
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = os.fsdecode((entry / "cmdline").read_bytes()).split("\0")
            lines = os.fsdecode((entry / "maps").read_bytes()).splitlines()
        except OSError:
            yield int(entry.name), None
        else:
            mapped = {line.split(maxsplit=5)[-1] for line in lines if "/" in line}
            yield int(entry.name), [*words, *mapped]


@frozen
class Finished:
    """A program that ran to its end."""

    code: int
    output: str
    errors: str


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    with_children: bool = False,
) -> Finished:
    """Run a program to its end; `TimeoutError` when it takes longer, `OSError` when it can't start.

    `env` is added to ours. `with_children`: what is stopped before its end (`^C`, its time is up)
    is stopped with all that it has started; it has a session of its own for that.
    """
    import subprocess  # noqa: TID251

    with subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        start_new_session=with_children,
    ) as child:
        try:
            output, errors = child.communicate(timeout=timeout_s)
        except BaseException as ended:
            if with_children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            child.kill()
            if isinstance(ended, subprocess.TimeoutExpired):
                raise TimeoutError(f"`{argv[0]}` took longer than {timeout_s:g} s") from ended
            raise
    return Finished(
        child.returncode, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace")
    )


def run_here(argv: Sequence[str]) -> int:
    """Run a program that talks to the person at the terminal, an editor say; its exit code.

    Raises OSError when it cannot be started.
    """
    import subprocess  # noqa: TID251

    return subprocess.run(list(argv), check=False).returncode


class Child:
    """A program of ours that runs beside us. End it with `close`, or it is killed there."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        found = identity(process.pid)
        self.identity = found if found is not None else Identity(process.pid, -1)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """As `poll`, after at most `timeout_s` seconds."""
        import subprocess  # noqa: TID251

        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Signal it; it is our child and not reaped, so the pid is its own."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self, patience_s: float) -> int:
        """Close its streams, wait, then kill; the exit code."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        code = self.wait(patience_s)
        if code is None:
            self._process.kill()
            code = self._process.wait()
        return code


class Adopted:
    """A program an earlier process of ours left running; as `Child`, but its exit code is lost."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @property
    def pid(self) -> int:
        return self.identity.pid

    def poll(self) -> int | None:
        """0 once it ended, however it ended; None while it runs."""
        return None if self.identity.is_alive() else 0

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it still runs."""
        self.identity.send(number)

    def wait(self, timeout_s: float) -> int | None:
        """As `poll`, after at most `timeout_s` seconds."""
        end = time.monotonic() + timeout_s
        while self.identity.is_alive():
            if time.monotonic() >= end:
                return None
            time.sleep(0.02)
        return 0

    def close(self, patience_s: float) -> int:
        """Wait, then kill."""
        end = time.monotonic() + patience_s
        while self.identity.is_alive():
            if time.monotonic() >= end:
                self.identity.send(signal.SIGKILL)
            time.sleep(0.02)
        return 0


def become(argv: Sequence[str]) -> NoReturn:
    """Go on as another program, found on the PATH. Raises OSError when there is none."""
    os.execvp(argv[0], list(argv))  # noqa: S606 - a list, as everywhere here


def start_piped(
    argv: Sequence[str], *, errors: int | None = None, env: Mapping[str, str] | None = None
) -> Child:
    """A child whose stdin and stdout are ours; its stderr is `errors`, or our own.

    It has its own session: a `^C` at the terminal is for us, and we tell it what to do.
    """
    import subprocess  # noqa: TID251

    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
        env=None if env is None else {**os.environ, **env},
    )
    return Child(process)


def start_logged(
    argv: Sequence[str], *, log: int, own_session: bool = False, passed: Sequence[int] = ()
) -> Child:
    """A child whose stdout and stderr go to the descriptor `log`; it inherits those `passed`."""
    import subprocess  # noqa: TID251

    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=own_session,
        pass_fds=tuple(passed),
    )
    return Child(process)
