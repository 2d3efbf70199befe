"""What the operator's machine lacks for deploying from it. Looks; changes and contacts nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from zsops import process
from zsops.config.load import Project, load_project
from zsops.config.scope import machines_of
from zsops.errors import ZsopsError
from zsops.reach import Reach

_VERSION_TIMEOUT_S = 10.0
_LIBRARIES = ("paramiko", "pydantic", "rich", "ruamel.yaml", "typer")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and one thing to do where it is not in order."""

    what: str
    state: Literal["ok", "warning", "problem"]
    found: str
    remedy: str | None = None


def examine(file: Path) -> list[Finding]:
    """Python, libraries, ssh, git, and the project in `file`."""
    found = [_python(), *map(_library, _LIBRARIES), _ssh(), _agent(), _git()]
    try:
        project = load_project(file)
    except ZsopsError as error:
        return [*found, Finding("project", "problem", error.message.splitlines()[0], error.hint)]
    return [*found, Finding("project", "ok", str(file)), *_known_hosts(project)]


def _python() -> Finding:
    return Finding("python", "ok", ".".join(str(each) for each in sys.version_info[:3]))


def _library(name: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "problem", "not installed", "pip install 'zeroserve[ops]'")


def _ssh() -> Finding:
    path = shutil.which("ssh")
    if path is None:
        remedy = "install the OpenSSH client: without it `Include` and `ProxyJump` are not known"
        return Finding("ssh", "warning", "not installed", remedy)
    try:
        said = process.run([path, "-V"], timeout_s=_VERSION_TIMEOUT_S)
    except (OSError, TimeoutError) as error:
        return Finding("ssh", "problem", f"{path}: {error}")
    return Finding("ssh", "ok", (said.errors or said.output).strip())


def _agent() -> Finding:
    socket = os.environ.get("SSH_AUTH_SOCK")
    if not socket:
        return Finding("ssh agent", "ok", "none; keys are read from their files")
    if not Path(socket).is_socket():
        remedy = "start it again, or unset SSH_AUTH_SOCK"
        return Finding("ssh agent", "warning", f"`{socket}` is no socket", remedy)
    return Finding("ssh agent", "ok", socket)


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", "warning", "not installed", "releases will not name their commit")
    return Finding("git", "ok", path)


def _known_hosts(project: Project) -> Iterator[Finding]:
    """Whether the files of pinned keys are there; each once."""
    reach = Reach(project.directory)
    told: set[Path] = set()
    for name, environment in project.environments.items():
        for machine in machines_of(project.config, environment):
            pinned = reach.wish(machine).known_hosts
            if machine.address is None or pinned is None or pinned in told:
                continue
            told.add(pinned)
            if pinned.is_file():
                yield Finding("known_hosts", "ok", str(pinned))
            else:
                remedy = f"`zsops hosts trust {name}` shows the fingerprints and writes it"
                yield Finding("known_hosts", "problem", f"there is no `{pinned}`", remedy)
