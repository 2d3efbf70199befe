"""Programs: versions of the daemon beside that of the installation, one in use by each instance.

A version lies in a virtual environment of its own. `complete.json` is written last there, so what
an interrupted installation leaves is no version. Without a choice of its own an instance runs the
`zeroserve` of the installation that `zsops-host` belongs to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from zsops.errors import ProgramRefused, ProtocolMismatch
from zsops.frozen import frozen
from zsops.host import audit, journal, layout, lease
from zsops.host.codec import from_json, to_json
from zsops.host.effects import (
    Fsync,
    InstallProgram,
    ReadFile,
    Steps,
    TellOffset,
    Unlink,
    do,
    make_dir_durably,
    parent,
    write_durably,
)
from zsops.host.layout import InstancePaths
from zsops.host.messages import InstanceSettings, ProgramStaged, Stage, StageProgram
from zsops.host.receive import full, receive


@frozen
class Chosen:
    """`program.json` of an instance."""

    version: str


@frozen
class Complete:
    """`complete.json` of an installed version: the wheel it came from."""

    version: str
    wheel: str  # digest


@frozen
class Allowed:
    """`wheels.json`: digests that the host's owner has let in."""

    wheels: tuple[str, ...] = ()


def argv(root: Path, settings: InstanceSettings, version: str | None) -> tuple[str, ...]:
    """How the daemon is called."""
    if version is not None:
        return (str(root / layout.program(version) / "bin" / "zeroserve"),)
    if settings.program:
        return settings.program
    beside = Path(sys.executable).with_name("zeroserve")
    return (str(beside),) if beside.is_file() else (sys.executable, "-m", "zeroserve")


def chosen(paths: InstancePaths) -> Steps[str | None]:
    """The version an instance runs; None: the installation's, also when its own is gone."""
    raw = yield from do(ReadFile(paths.program))
    if raw is None:
        return None
    version = from_json(Chosen, json.loads(raw)).version
    return version if (yield from installed(version)) is not None else None


def choose(paths: InstancePaths, version: str | None) -> Steps[None]:
    """From the next start on the instance runs this version."""
    if version is None:
        yield from do(Unlink(paths.program))
        yield from do(Fsync(paths.home))
        return
    content = json.dumps(to_json(Chosen(version))).encode()
    yield from write_durably(paths.program, content)


def installed(version: str) -> Steps[Complete | None]:
    """What is known of an installed version; None when it is not here, or not whole."""
    raw = yield from do(ReadFile(f"{layout.program(version)}/complete.json"))
    try:
        return None if raw is None else from_json(Complete, json.loads(raw))
    except (ValueError, ProtocolMismatch):
        return None


def allowed() -> Steps[tuple[str, ...]]:
    """Digests of the wheels that anybody may bring who may change this host."""
    raw = yield from do(ReadFile(layout.WHEELS))
    return () if raw is None else from_json(Allowed, json.loads(raw)).wheels


def allow(digests: Sequence[str]) -> Steps[tuple[str, ...]]:
    """Let these in, too."""
    before = yield from allowed()
    for digest in digests:
        layout.bare(digest)
    wheels = tuple(dict.fromkeys((*before, *digests)))
    if wheels != before:
        yield from write_durably(layout.WHEELS, json.dumps(to_json(Allowed(wheels))).encode())
        yield from audit.record("wheel-allowed", detail=", ".join(digests))
    return wheels


def stage(request: StageProgram) -> Steps[ProgramStaged]:
    """Receive a wheel and install it side by side; nothing that runs is touched. Repeatable."""
    home = layout.program(request.version)
    layout.bare(request.digest)
    yield from journal.read(InstancePaths(request.instance))
    yield from lease.authorise(request.token)
    found = yield from installed(request.version)
    if found is not None:
        if found.wheel != request.digest:
            raise ProgramRefused(
                f"version {request.version} is here already, from another wheel ({found.wheel})",
                hint="give the new wheel a version number of its own",
            )
        yield from do(TellOffset(request.size, ()))
        return ProgramStaged(request.version, 0)
    received = yield from receive(
        Stage(request.token, request.instance, request.digest, "", request.size)
    )
    blob = layout.blob(request.digest)
    try:
        for path in (parent(layout.PROGRAMS), layout.PROGRAMS, home):
            yield from make_dir_durably(path)
        yield from do(InstallProgram(blob, home, request.version))
        made = json.dumps(to_json(Complete(request.version, request.digest))).encode()
        yield from write_durably(f"{home}/complete.json", made)
    except OSError as error:
        raise full(error) from error
    yield from do(Unlink(blob))  # what is installed is what counts
    detail = f"{request.version} from {request.digest}"
    yield from audit.record("daemon-installed", who=request.who, why=request.why, detail=detail)
    return ProgramStaged(request.version, received)
