"""Old versions of the daemon go, never one that runs or may be wanted soon.

What stays: the version each instance has chosen, whatever any process still runs (a daemon that
drains among them), and those that were installed or used last. What an interrupted installation
left goes as well. A version is known by its `complete.json`, which goes first: what a crash leaves
of the rest is no version, and goes at the next time.
"""

from __future__ import annotations

import re

from zsops.errors import HostError
from zsops.host import audit, layout, program
from zsops.host.effects import Fsync, ListDir, RunningPrograms, Steps, Unlink, do, remove_tree
from zsops.host.layout import InstancePaths

#: How many of those used last stay. Three: what serves, what served before, and one more.
KEPT = 3
#: `0.4.2 from sha256:…`, and `0.4.1 -> 0.4.2`.
_TELLING = ("daemon-installed", "daemon-upgraded")
_MENTIONED = re.compile(r"(\S+) (?:from sha256:|-> (\S+))")


def prune(who: str, *, dry_run: bool = False) -> Steps[tuple[str, ...]]:
    """Remove them; the versions that went, or would.

    What goes wrong ends it early and is nobody's failure: old versions only take up room.
    """
    gone: list[str] = []
    try:
        for version in (yield from _doomed()):
            if not dry_run:
                yield from _remove(version)
            gone.append(version)
        if gone and not dry_run:
            detail = f"{len(gone)} versions: {', '.join(gone)}"
            yield from audit.record("daemon-pruned", who=who, detail=detail)
    except (OSError, HostError, ValueError):
        return tuple(gone)
    return tuple(gone)


def _doomed() -> Steps[tuple[str, ...]]:
    names = yield from do(ListDir(layout.PROGRAMS))
    here = [name for name in names if layout.is_version(name)]
    used = yield from _last_used()
    complete = {}
    for version in here:
        if (yield from program.installed(version)) is not None:
            complete[version] = used.get(version, -1)
    ranked = sorted(complete, key=complete.__getitem__)
    chosen: set[str | None] = set()
    for instance in (yield from do(ListDir(layout.INSTANCES))):
        chosen.add((yield from program.chosen(InstancePaths(instance))))
    kept = {*chosen, *ranked[-KEPT:]}
    doomed = [version for version in here if version not in kept]
    if not doomed:
        return ()
    running = yield from do(RunningPrograms())
    if running is None:
        return ()
    return tuple(version for version in doomed if version not in running)


def _last_used() -> Steps[dict[str, int]]:
    """By version: the number of the last line of the audit log that tells of it."""
    found: dict[str, int] = {}
    for entry in (yield from audit.every()):
        told = _MENTIONED.match(entry.detail) if entry.event in _TELLING else None
        for version in told.groups() if told is not None else ():
            if version is not None:
                found[version] = entry.seq
    return found


def _remove(version: str) -> Steps[None]:
    home = layout.program(version)
    yield from do(Unlink(f"{home}/complete.json"))
    yield from do(Fsync(home))
    yield from remove_tree(home)
