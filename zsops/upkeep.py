"""Between deployments: leases, audit, pruning, comparing releases, pinning host keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from zsops.apply.target import RunInfo
from zsops.config.hosts import Machine
from zsops.errors import HostError, NoSuchRelease, ZsopsError
from zsops.fleet import Fleet
from zsops.host import messages as m
from zsops.host import upkeep as words
from zsops.plan.diff import diff_files
from zsops.plan.model import FileChange
from zsops.plan.wish import WishedFile
from zsops.transport.base import HostSession
from zsops.transport.ssh import Untrusted

T = TypeVar("T")
_LEASE_TTL_S = 60.0


def leases(fleet: Fleet) -> list[tuple[str, m.Lease | None]]:
    """Who holds each host. Raises HostUnreachable."""

    def look(machine: Machine, session: HostSession) -> m.Lease | None:
        names = [name for at, name, _ in fleet.scope if at == machine]
        return session.observe(names[0]).lease if names else None

    return asked(fleet, look)


def take_leases(fleet: Fleet, reason: str, ttl_s: float) -> list[tuple[str, m.Lease]]:
    """Hold every host for `ttl_s` seconds. Raises LeaseHeld, HostUnreachable."""
    info = fleet.info(reason)
    request = m.TakeLease(who=info.who, why=reason, ttl_s=ttl_s, run=info.id)
    return asked(fleet, lambda machine, session: session.take_lease(request))


def break_leases(fleet: Fleet, reason: str) -> list[tuple[str, m.Lease | None]]:
    """End every host's lease, on the record; what was broken. Raises HostUnreachable."""
    who = fleet.info(reason).who
    return asked(fleet, lambda machine, session: session.break_lease(who, reason))


def audit(fleet: Fleet) -> list[tuple[str, m.AuditReport]]:
    """Walk every host's audit chain. Raises HostUnreachable."""
    return asked(fleet, lambda machine, session: session.audit_verify())


def recipients(fleet: Fleet) -> list[tuple[str, tuple[str, ...]]]:
    """What each host's secrets are encrypted to. Raises HostUnreachable."""
    return asked(
        fleet,
        lambda machine, session: (
            session.recipients() if machine.recipient is None else (machine.recipient,)
        ),
    )


def prune(
    fleet: Fleet, keep: int | None = None, *, dry_run: bool = False
) -> list[tuple[str, str, m.Pruned]]:
    """(host, instance, what went). Raises LeaseHeld, DeployInFlight, HostUnreachable."""
    info = fleet.info("prune")
    count = fleet.project.config.defaults.keep if keep is None else keep

    def clean(machine: Machine, session: HostSession) -> list[tuple[str, m.Pruned]]:
        names = [
            name for at, name, _ in fleet.scope if at == machine and session.observe(name).installed
        ]
        with leased(session, info, "prune") as token:
            return [
                (name, session.prune(m.Prune(token, name, count, dry_run=dry_run)))
                for name in names
            ]

    return [(host, *each) for host, found in asked(fleet, clean) for each in found]


def diff(fleet: Fleet, old: str, new: str) -> Mapping[tuple[str, str], tuple[FileChange, ...]]:
    """Files that differ between two releases, where both are kept.

    A release is named in full or by its number; of a fleet's one site only its files are compared.
    Raises NoSuchRelease, HostUnreachable.
    """

    def compare(
        machine: Machine, session: HostSession
    ) -> list[tuple[tuple[str, str], tuple[FileChange, ...]]]:
        found = []
        for at, name, _ in fleet.scope:
            if at != machine:
                continue
            kept = session.observe(name).releases
            before, after = _named(kept, old), _named(kept, new)
            if before is not None and after is not None:
                wished = tuple(
                    WishedFile(each.path, each.size, each.sha256, verbatim=True)
                    for each in session.members(name, after)
                )
                changes = diff_files(session.members(name, before), wished)
                if fleet.site is not None:
                    changes = _of_site(changes, kept, fleet.site)
                found.append(((machine.name, name), changes))
        return found

    compared = dict(each for _, found in asked(fleet, compare) for each in found)
    if not compared:
        raise NoSuchRelease(
            f"no instance of `{fleet.env}` keeps both `{old}` and `{new}`",
            hint="`zsops status --json` lists the releases",
        )
    return compared


def untrusted(fleet: Fleet) -> tuple[Untrusted, ...]:
    """Servers on the ways to the hosts whose keys nobody has pinned; each once.

    Raises HostKeyRefused where a key differs from the pinned one, HostUnreachable.
    """
    found: dict[str, Untrusted] = {}
    for each in fleet.each(
        lambda machine: (
            None if machine.address is None else fleet.reach.over_ssh(machine).untrusted()
        )
    ):
        if each is not None:
            found.setdefault(each.name, each)
    return tuple(found.values())


def pause(fleet: Fleet, reason: str) -> list[tuple[str, words.Held]]:
    """Keep deployments from every host until `resume`. Raises HostUnreachable."""
    request = words.Hold(fleet.info(reason).who, reason)
    return asked(fleet, lambda machine, session: session.hold(request))


def resume(fleet: Fleet, reason: str) -> list[tuple[str, words.Held | None]]:
    """Let deployments go on; what was lifted. Raises HostUnreachable."""
    who = fleet.info(reason).who
    return asked(fleet, lambda machine, session: session.lift_hold(who, reason))


def evidence(fleet: Fleet) -> list[tuple[str, str, words.Evidence]]:
    """(host, instance, what it kept of a failed deployment), oldest first of each instance.

    Raises HostUnreachable.
    """

    def read(machine: Machine, session: HostSession) -> list[tuple[str, words.Evidence]]:
        names = [
            name for at, name, _ in fleet.scope if at == machine and session.observe(name).installed
        ]
        return [(name, each) for name in names for each in session.evidence(name)]

    return [(host, *each) for host, found in asked(fleet, read) for each in found]


@dataclass(frozen=True)
class HealedAt:
    """What was put right at one instance; `error`: what cannot be."""

    host: str
    instance: str
    done: tuple[str, ...] = ()
    error: ZsopsError | None = None


def heal(fleet: Fleet) -> list[HealedAt]:
    """Bring every instance back to its host's own record. Raises HostUnreachable."""
    info = fleet.info("heal drift")

    def one(session: HostSession, machine: Machine, name: str) -> HealedAt:
        try:
            if not session.observe(name).installed:
                return HealedAt(machine.name, name)
            with leased(session, info, "heal drift") as token:
                done = session.heal(words.Heal(token, name)).done
            return HealedAt(machine.name, name, done)
        except HostError as error:
            return HealedAt(machine.name, name, error=error)

    def look(machine: Machine, session: HostSession) -> list[HealedAt]:
        return [one(session, machine, name) for at, name, _ in fleet.scope if at == machine]

    return [each for _, found in asked(fleet, look) for each in found]


def _named(kept: tuple[m.ReleaseInfo, ...], wanted: str) -> str | None:
    for each in kept:
        if wanted == each.release or (wanted.isdigit() and int(wanted) == each.number):
            return each.release
    return None


def _of_site(
    changes: tuple[FileChange, ...], releases: tuple[m.ReleaseInfo, ...], site: str
) -> tuple[FileChange, ...]:
    """Those below the site's root in some release; all, when it never stood beside others."""
    roots = {part.root for each in releases for part in each.sites if part.name == site}
    return tuple(each for each in changes if any(each.path.startswith(root) for root in roots))


@contextmanager
def leased(session: HostSession, info: RunInfo, why: str) -> Iterator[int]:
    """Hold the host for a moment; going back and cleaning up may be done under a hold."""
    lease = m.TakeLease(who=info.who, why=why, ttl_s=_LEASE_TTL_S, run=info.id, despite_hold=True)
    token = session.take_lease(lease).token
    try:
        yield token
    finally:
        with suppress(ZsopsError):
            session.release_lease(token)


def asked(
    fleet: Fleet, ask: Callable[[Machine, HostSession], T], *, in_turn: bool = False
) -> list[tuple[str, T]]:
    """The answers of all hosts, in order; `in_turn`: one host after the other."""

    def one(machine: Machine) -> T:
        with fleet.connect(machine) as session:
            return ask(machine, session)

    answers = [one(each) for each in fleet.machines] if in_turn else fleet.each(one)
    return [(machine.name, each) for machine, each in zip(fleet.machines, answers, strict=True)]
