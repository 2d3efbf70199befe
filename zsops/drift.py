"""Does every host serve what it was given, and nothing else? One look, or look after look.

Whoever asks for a report, the command line or a program, has the file's notices sent with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from zsops import upkeep
from zsops.errors import ExitCode, ZsopsError, worst
from zsops.facts.status import InstanceStatus
from zsops.fleet import Fleet
from zsops.notify.around import tell
from zsops.notify.notice import NoticeHost
from zsops.upkeep import HealedAt


@dataclass(frozen=True)
class Found:
    """One instance. `drift`: what differs from its host's record, or why it cannot be told."""

    host: str
    instance: str
    state: str
    drift: str | None = None
    code: ExitCode = ExitCode.OK


@dataclass(frozen=True)
class Report:
    """One look at all instances. `warnings`: notices that could not be sent, and the like."""

    found: tuple[Found, ...]
    healed: tuple[HealedAt, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """As `zsops drift` ends: 0 when nothing drifts."""
        return worst(each.code for each in self.found)


@dataclass(frozen=True)
class Looked:
    """One look of a watch: the whole report, and what is not as it was at the look before."""

    report: Report
    changes: tuple[Found, ...]


def report(fleet: Fleet, *, heal: bool = False) -> Report:
    """Look once; `heal`: bring hosts back to their own record first. Raises HostUnreachable only
    when it heals: otherwise a host out of reach is a finding."""
    healed = tuple(upkeep.heal(fleet)) if heal else ()
    found = _look(fleet)
    return Report(found, healed, tuple(_announce(fleet, found)))


def watch(fleet: Fleet, wait: Callable[[], bool], *, heal: bool = False) -> Iterator[Looked]:
    """Look, and again after each `wait()`, until that says no. `heal`: whenever something drifts.

    A notice is sent once for each drift, not at each look. The first look tells all that drifts.
    """
    before: dict[tuple[str, str], Found] = {}
    while True:
        found = _look(fleet)
        healed: tuple[HealedAt, ...] = ()
        problems: list[str] = []
        if heal and any(each.code is ExitCode.DRIFT for each in found):
            try:
                healed, found = tuple(upkeep.heal(fleet)), _look(fleet)
            except ZsopsError as error:  # a host that is out of reach keeps no other from its look
                problems = [error.message]
        changes = tuple(each for each in found if each != before.get(_key(each), _quiet(each)))
        warnings = (*problems, *_announce(fleet, changes))
        yield Looked(Report(found, healed, warnings), changes)
        before = {_key(each): each for each in found}
        if not wait():
            return


def _look(fleet: Fleet) -> tuple[Found, ...]:
    return tuple(_judged(each) for each in fleet.status())


def _judged(each: InstanceStatus) -> Found:
    if each.error is not None:
        return Found(each.host, each.instance, each.state, each.error.message, each.error.exit_code)
    said = each.observation.drift or each.observation.unsafe
    if said is None and each.state != "healthy":
        said = each.state
    code = ExitCode.OK if said is None else ExitCode.DRIFT
    return Found(each.host, each.instance, each.state, said, code)


def _announce(fleet: Fleet, found: Sequence[Found]) -> Iterator[str]:
    drifted = [
        NoticeHost(host=each.host, instance=each.instance, outcome="drift", detail=each.drift)
        for each in found
        if each.drift is not None
    ]
    if drifted:
        yield from tell(fleet, "drift", "drift", fleet.info(""), drifted)


def _key(found: Found) -> tuple[str, str]:
    return found.host, found.instance


def _quiet(found: Found) -> Found:
    """What goes without saying of an instance at the first look."""
    return Found(found.host, found.instance, "healthy")
