"""A hold: somebody wants no deployment here for now. Unlike a lease it ends only when told to.

It is looked at when a lease is taken. What is under way goes on, and going back always may.
"""

from __future__ import annotations

import json

from zsops.host import audit
from zsops.host.codec import from_json, to_json
from zsops.host.effects import (
    Fsync,
    ReadFile,
    Steps,
    Unlink,
    WallTime,
    do,
    parent,
    write_durably,
)
from zsops.host.layout import HOLD
from zsops.host.upkeep import Held, Hold


def read() -> Steps[Held | None]:
    """The hold in force, if any."""
    raw = yield from do(ReadFile(HOLD))
    return None if raw is None else from_json(Held, json.loads(raw))


def place(request: Hold) -> Steps[Held]:
    """Hold the host; the newest hold counts."""
    held = Held(request.who, request.why, (yield from do(WallTime())))
    yield from write_durably(HOLD, json.dumps(to_json(held)).encode())
    yield from audit.record("held", who=held.who, why=held.why)
    return held


def lift(who: str, why: str) -> Steps[Held | None]:
    """End the hold; the one that ended, or None when there was none."""
    held = yield from read()
    if held is None:
        return None
    yield from do(Unlink(HOLD))
    yield from do(Fsync(parent(HOLD)))
    yield from audit.record("resumed", who=who, why=why, detail=f"held by {held.who}")
    return held
