"""Where the peers and the load generator come from: the PATH, else the system's packages, unpacked.

Packages are unpacked below `build/bench/`, never installed: an installed web server would start by
itself and take port 80 of the reader's machine. So the bench needs no root.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import run

UNPACKED = Path(__file__).resolve().parent.parent / "build" / "bench" / "packages"


@dataclass(frozen=True)
class Program:
    """A program that can be started. `library_path` (LD_LIBRARY_PATH) is empty when installed."""

    path: str
    library_path: str = ""

    @property
    def env(self) -> dict[str, str]:
        """Environment it needs."""
        return {"LD_LIBRARY_PATH": self.library_path} if self.library_path else {}


@dataclass(frozen=True)
class Absent:
    """Why a program is not there."""

    reason: str


def find(name: str, packages: Sequence[str]) -> Program | Absent:
    """The program `name`; `packages` are those (Debian's names) that hold it and its libraries."""
    installed = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if installed:
        return Program(installed)
    if not shutil.which("apt-get"):
        return Absent(f"no `{name}` on the PATH, and no apt to fetch it; install it yourself")
    roots = []
    for package in packages:
        root = unpack(package)
        if isinstance(root, Absent):
            return root
        roots.append(root)
    path = next((each for root in roots for each in root.glob(f"usr/*bin/{name}")), None)
    if path is None:
        return Absent(f"package `{packages[0]}` has no program `{name}`")
    libraries = {str(each.parent) for root in roots for each in root.glob("usr/lib/**/*.so*")}
    program = Program(str(path), ":".join(sorted(libraries)))
    linked = run(["ldd", program.path], env=program.env).said
    missing = [line.split()[0] for line in linked.splitlines() if "not found" in line]
    if missing:
        return Absent(f"`{name}` lacks {', '.join(missing)}; `apt-get install {packages[0]}`")
    return program


def unpack(package: str) -> Path | Absent:
    """The tree of a package (Debian's name), fetched at the first time."""
    target = UNPACKED / package
    if target.exists():
        return target
    work = UNPACKED / f"{package}.part"
    shutil.rmtree(work, ignore_errors=True)
    (work / "tree").mkdir(parents=True)
    fetched = run(["apt-get", "-q", "download", package], cwd=work, timeout_s=300)
    archive = next(iter(work.glob("*.deb")), None)
    if fetched.code != 0 or archive is None:
        return Absent(f"no package `{package}` can be fetched; `apt-get update` as root may help")
    opened = run(["dpkg-deb", "-x", str(archive), str(work / "tree")])
    if opened.code != 0:
        return Absent(f"package `{package}` cannot be unpacked: {opened.said.strip()}")
    (work / "tree").rename(target)
    shutil.rmtree(work)
    return target
