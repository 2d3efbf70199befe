"""Programs that judge us and that we did not write: which there are, in which version.

An absent one fails its test under CI; elsewhere the test is skipped and says why.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from support.process import run

DOC_TREE = "share/doc/python3.11/html"


@dataclass(frozen=True)
class Counterpart:
    """A program, and the arguments that make it tell its version."""

    name: str
    version_arguments: tuple[str, ...]

    @property
    def path(self) -> str | None:
        """Where it is, or None. What `tests/tools/install` has built lies in the cache."""
        return shutil.which(self.name) or shutil.which(self.name, path=cache_directory() / "bin")

    @property
    def version(self) -> str | None:
        """The first line that it says of itself, or None when it is absent."""
        return None if self.path is None else _version(self.path, self.version_arguments)


@cache
def _version(path: str, arguments: tuple[str, ...]) -> str:
    finished = run([path, *arguments], timeout_s=60)
    lines = (finished.stdout.decode(errors="replace") + finished.stderr).strip().splitlines()
    return lines[0][:70] if lines else "no version"


CURL = Counterpart("curl", ("--version",))
GO = Counterpart("go", ("version",))
CHROMIUM = Counterpart("chromium", ("--version",))
STRACE = Counterpart("strace", ("--version",))
GNU_TAR = Counterpart("tar", ("--version",))
H2SPEC = Counterpart("h2spec", ("--version",))
OPENSSH = Counterpart("ssh", ("-V",))  # client and server come from one source, in one version
SYSTEMD = Counterpart("systemd-analyze", ("--version",))
H2LOAD = Counterpart("h2load", ("--version",))
NGHTTP = Counterpart("nghttp", ("--version",))
SSLSCAN = Counterpart("sslscan", ("--version", "--no-colour"))
DEBOOTSTRAP = Counterpart("debootstrap", ("--version",))
NSPAWN = Counterpart("systemd-nspawn", ("--version",))
SUDO = Counterpart("sudo", ("--version",))
ALL = (
    *(CURL, GO, CHROMIUM, STRACE, GNU_TAR, H2SPEC, OPENSSH, SYSTEMD),
    *(H2LOAD, NGHTTP, SSLSCAN, SUDO),
)


def cache_directory() -> Path:
    """Where `tests/tools/install` unpacks what is not installed."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "zeroserve"


def python_manual() -> Path:
    """The HTML tree of Debian's python3-doc: a large site that others have made."""
    tree = cache_directory() / "python3-doc" / "usr" / DOC_TREE
    installed = Path("/usr") / DOC_TREE
    for place in (tree, installed):
        if (place / "index.html").is_file():
            return place
    return absent("python3-doc")


def absent(name: str) -> NoReturn:
    """Fail under CI, skip elsewhere."""
    text = f"{name} is absent: `sh tests/tools/install` gets it"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def require(counterpart: Counterpart) -> str:
    """The program's path; without it the test fails under CI and is skipped elsewhere."""
    return counterpart.path or absent(counterpart.name)


def report() -> list[str]:
    """One line for each counterpart."""
    lines = [f"counterpart {each.name}: {each.version or 'absent'}" for each in ALL]
    tree = cache_directory() / "python3-doc" / "usr" / DOC_TREE
    lines.append(f"counterpart python3-doc: {_package_version() if tree.is_dir() else 'absent'}")
    return lines


def _package_version() -> str:
    try:
        return (cache_directory() / "python3-doc" / "version").read_text().strip()
    except OSError:
        return "unpacked, version unknown"
