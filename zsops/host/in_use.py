"""In use: which installed versions of the daemon any process of this machine runs.

By the files that each process has mapped: the engine is one of them, whatever the process calls
itself. A daemon with more rights than we may not be looked into, and is asked; where one that is on
record does not answer either, nobody can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from zeroserve.control.client import ControlClient
from zeroserve.errors import ZeroserveError
from zsops import process
from zsops.host.layout import INSTANCES, PROGRAMS
from zsops.host.records import SLOTS, Daemon, LeavingDaemon, RunRecords

_ANSWER_S = 2.0


def versions(root: Path) -> frozenset[str] | None:
    """Versions below the root's `PROGRAMS`; None when nobody can tell."""
    homes = {str(each / PROGRAMS) for each in (root, root.resolve())}
    named = re.compile(f"(?:{'|'.join(map(re.escape, homes))})/([^/]+)/")
    found: set[str] = set()
    known: set[int] = set()
    for pid, paths in process.used_paths():
        if paths is not None:
            known.add(pid)
            found |= {each[1] for each in map(named.match, paths) if each is not None}
    for pid, control in _daemons(root):
        if pid not in known:
            version = _asked(pid, control)
            if version is None:
                return None
            found.add(version)
    return frozenset(found)


def _daemons(root: Path) -> Iterator[tuple[int, Path]]:
    """Every daemon on record that lives, and its control socket."""
    for home in (root / INSTANCES).glob("*"):
        records = RunRecords(root, home.name)
        one = [records.load(Daemon, name) for name in ("daemon.json", "candidate.json")]
        leaving = [records.load(LeavingDaemon, f"leaving-{slot}.json") for slot in SLOTS]
        for each in (*one, *leaving):
            if each is not None and each.identity.is_alive():
                yield each.pid, records.control(each.slot)


def _asked(pid: int, control: Path) -> str | None:
    try:
        answer = ControlClient(control, _ANSWER_S).status()
    except ZeroserveError:
        return None
    version = answer.get("version")
    return version if answer.get("pid") == pid and isinstance(version, str) else None
