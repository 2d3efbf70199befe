"""One instance's facts: its state, and the files of the release in service. Read only."""

from __future__ import annotations

from zsops.errors import NoSuchRelease
from zsops.plan.wish import Facts
from zsops.transport.base import HostSession


def observe_instance(session: HostSession, instance: str) -> Facts:
    """Facts of `instance`. Raises `HostUnreachable` or a `HostError`.

    The placeholder release 000000 counts as no files: nobody wants to read of its removal.
    """
    seen = session.observe(instance)
    if not seen.installed or seen.current is None or seen.current.number == 0:
        return Facts(seen)
    try:
        return Facts(seen, session.members(instance, seen.current.release))
    except NoSuchRelease:
        # Somebody deployed and pruned between the two questions; the state digest tells later.
        return Facts(seen)
