"""Process: the only place where this package starts or replaces programs, always from a list."""

import os
import sys
from collections.abc import Sequence
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
