"""Handoff: the front end turns into the lean daemon, and the config crosses without being seen.

Command line parsing and certificates cost megabytes that a server should not carry for months, so
the front end replaces itself. The config may hold a private key: it travels in an anonymous memory
file, never in argv or the environment.
"""

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from zeroserve.config.model import ServerConfig, encode_config
from zeroserve.process import become_daemon


def hand_off(config: ServerConfig, arguments: Sequence[str]) -> NoReturn:
    """Become the daemon. Does not return; a failure to execute is an `OSError`."""
    descriptor = os.memfd_create("zeroserve-config", 0)
    payload = {"paths": import_paths(), "config": encode_config(config).decode()}
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(json.dumps(payload).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    become_daemon(descriptor, arguments)


def import_paths() -> list[str]:
    """Where the daemon finds this package and `_cffi_backend`, without the help of `site`."""
    paths = [str(Path(__file__).resolve().parents[2])]
    backend = find_spec("_cffi_backend")
    if backend is not None and backend.origin is not None:
        paths.append(str(Path(backend.origin).parent))
    return list(dict.fromkeys(paths))
