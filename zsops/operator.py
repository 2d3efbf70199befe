"""Who runs zsops here: the name in leases and audit lines, for people to ask."""

from __future__ import annotations

import getpass
import os
import socket


def operator_name() -> str:
    """`user@machine`, overridden by `$ZSOPS_WHO` (a CI job names itself)."""
    named = os.environ.get("ZSOPS_WHO", "").strip()
    if named:
        return named
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's uid without a passwd entry
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
