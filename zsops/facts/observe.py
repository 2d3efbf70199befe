"""One instance's facts: its state, and the files of the release in service. Read only."""

from __future__ import annotations

import threading
from collections.abc import Callable

from zsops.errors import NoSuchRelease
from zsops.host import messages as m
from zsops.plan.wish import Facts
from zsops.transport.base import HostSession

Index = tuple[m.HostedMember, ...]


class Indexes:
    """Member indexes by release digest. The digest fixes the index, so one host is asked for it,
    and none for that of a release that was built here. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._known: dict[str, Index] = {}

    def learn(self, release_digest: str, index: Index) -> None:
        """This release is at hand: nobody need be asked."""
        with self._lock:
            self._known[release_digest] = index

    def of(self, release_digest: str, ask: Callable[[], Index]) -> Index:
        """The index; by `ask` when it is not known. Others who want the same one wait for it."""
        with self._lock:
            turn = self._asking.setdefault(release_digest, threading.Lock())
        with turn:
            if release_digest not in self._known:
                self.learn(release_digest, ask())
            return self._known[release_digest]


def observe_instance(session: HostSession, instance: str, indexes: Indexes) -> Facts:
    """Facts of `instance`. Raises `HostUnreachable` or a `HostError`.

    The placeholder release 000000 counts as no files: nobody wants to read of its removal.
    """
    seen = session.observe(instance)
    current = seen.current
    if not seen.installed or current is None or current.number == 0:
        return Facts(seen)
    try:
        index = indexes.of(
            current.release_digest, lambda: session.members(instance, current.release)
        )
    except NoSuchRelease:
        # Somebody deployed and pruned between the two questions; the state digest tells later.
        return Facts(seen)
    return Facts(seen, index)
