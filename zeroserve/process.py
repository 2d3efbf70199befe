"""Process: the only place where this package starts or replaces programs, always from a list."""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

BOOT_SCRIPT = Path(__file__).parent / "control" / "boot.py"


def become_daemon(config_fd: int, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the lean daemon.

    `config_fd` is inheritable; `arguments` are for `ps`.

    `-I` keeps the environment and the working directory out of the import path, `-S` leaves out
    `site`; the boot script gets the two paths it needs with the config. The signal mask stays.
    """
    interpreter = sys.executable
    argv = [interpreter, "-I", "-S", str(BOOT_SCRIPT), str(config_fd), *arguments]
    os.execve(interpreter, argv, dict(os.environ))  # noqa: S606  # no shell, on purpose


class Child:
    """A zeroserve that runs beside this process, on the same terminal, until `end`."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start it. Raises `OSError`."""
        import subprocess  # noqa: TID251  # this is that place; the daemon does without the module

        # `-P`: a folder named like this package in the working directory is not taken for it.
        self._process = subprocess.Popen([sys.executable, "-P", "-m", "zeroserve", *arguments])

    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def end(self, seconds_max: float) -> None:
        """Let it finish its requests, and end it when that takes longer."""
        import subprocess  # noqa: TID251

        self._process.terminate()
        try:
            self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end. `output` is what it wrote, to both streams."""

    code: int
    output: str


def run_to_end(
    argv: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], seconds_max: float
) -> Finished:
    """Run a program with this environment and no input.

    Raises `TimeoutError` when it takes longer, and everything that it started is ended; `OSError`
    when it cannot be started.
    """
    import subprocess  # noqa: TID251  # this is that place; the daemon does without the module

    with subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(env),
        start_new_session=True,  # its children end with it
    ) as child:
        try:
            output, _ = child.communicate(timeout=seconds_max)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TimeoutError(f"`{argv[0]}` took longer than {seconds_max:g} s") from error
            raise
    return Finished(child.returncode, output.decode(errors="replace"))
