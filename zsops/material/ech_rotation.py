"""ECH rotation as phases that can be resumed: which one is due is a function of `ech.json`. Pure.

add (the new key beside the old, on every host) → promote (clients are told of it, once the record
in DNS is theirs) → retire (the old key goes when nobody can remember it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from zsops.config.secrets import Ech
from zsops.material.ech_keys import KeptKey

Phase = Literal["add", "promote", "retire"]


@dataclass(frozen=True)
class Due:
    """A phase and the moment from which it may be done."""

    phase: Phase
    at: datetime
    why: str

    def is_due(self, now: datetime) -> bool:
        """Whether it may be done now."""
        return now >= self.at


def due(keys: Sequence[KeptKey], ech: Ech, now: datetime) -> Due | None:
    """The next phase; None while the last one has not reached every host."""
    if not keys:
        return Due("add", now, "there is no key yet")
    if any(each.since is None for each in keys):
        return None
    beside = [each for each in keys if each.role == "beside"]
    if beside:
        wait = timedelta(milliseconds=2 * ech.dns_ttl)
        return Due(
            "promote", _time(beside[0].since) + wait, "twice the record's time to live has to pass"
        )
    old = [each for each in keys if each.role == "old"]
    newest = keys[-1]
    add = Due(
        "add", _time(newest.made) + timedelta(days=ech.rotate), f"a key is for {ech.rotate} d"
    )
    if not old:
        return add
    first = min(_time(each.since) for each in old)
    text = f"an old key is understood for {ech.retire} d"
    retire = Due("retire", first + timedelta(days=ech.retire), text)
    return min(retire, add, key=lambda each: each.at)


def promoted(keys: Sequence[KeptKey]) -> tuple[KeptKey, ...]:
    """The key beside becomes the newest, the newest becomes old. Both count anew from now."""
    roles = {"beside": "newest", "newest": "old", "old": "old"}
    return tuple(
        each.model_copy(
            update={"role": roles[each.role]} | ({} if each.role == "old" else {"since": None})
        )
        for each in keys
    )


def retired(keys: Sequence[KeptKey], ech: Ech, now: datetime) -> tuple[KeptKey, ...]:
    """Without the old keys whose time has passed."""
    limit = now - timedelta(days=ech.retire)
    return tuple(
        each
        for each in keys
        if each.role != "old" or each.since is None or _time(each.since) > limit
    )


def arrived(keys: Sequence[KeptKey], now: datetime) -> tuple[KeptKey, ...]:
    """Every host has the keys in their present roles."""
    stamp = now.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return tuple(
        each if each.since is not None else each.model_copy(update={"since": stamp})
        for each in keys
    )


def _time(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)
