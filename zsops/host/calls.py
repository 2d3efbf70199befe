"""The calls of the wire: name, request and answer of each. Both ends read this one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from zsops.frozen import frozen
from zsops.host import messages as m
from zsops.host import upkeep
from zsops.host.service import HostService

Q = TypeVar("Q")
A = TypeVar("A")


@frozen
class Nothing:
    """An empty request or answer."""


@frozen
class Greeting:
    """What an operator opens with: the protocol versions it speaks."""

    oldest: int
    newest: int


@frozen
class OfInstance:
    instance: str


@frozen
class OfRelease:
    instance: str
    release: str


@frozen
class OfToken:
    token: int


@frozen
class BreakLease:
    who: str
    why: str


@frozen
class History:
    instance: str
    limit: int


@frozen
class Recipients:
    """Public keys as age takes them: `age1…`, `ssh-ed25519 …`."""

    recipients: tuple[str, ...]


@frozen
class MemberList:
    members: tuple[m.HostedMember, ...]


@frozen
class EntryList:
    entries: tuple[m.AuditEntry, ...]


@frozen
class MaybeLease:
    lease: m.Lease | None


@frozen
class EvidenceList:
    evidence: tuple[upkeep.Evidence, ...]


@frozen
class LiftHold:
    who: str
    why: str


@frozen
class MaybeHeld:
    held: upkeep.Held | None


@frozen
class Stopped:
    stopped: bool


@frozen
class Ended:
    outcome: m.Outcome


@frozen
class Call(Generic[Q, A]):
    """One call: `perform` answers a `request` on the host with an `answer`."""

    name: str
    request: type[Q]
    answer: type[A]
    perform: Callable[[HostService, Q], A]


def _release_lease(host: HostService, request: OfToken) -> Nothing:
    host.release_lease(request.token)
    return Nothing()


def _pin(host: HostService, request: m.Pin) -> Nothing:
    host.pin(request)
    return Nothing()


HELLO = Call("hello", Nothing, m.Hello, lambda host, _: host.hello())
INSTALL = Call("install", m.Install, m.Installed, HostService.install)
OBSERVE = Call("observe", OfInstance, m.Observation, lambda host, q: host.observe(q.instance))
MEMBERS = Call(
    "members",
    OfRelease,
    MemberList,
    lambda host, q: MemberList(host.members(q.instance, q.release)),
)
TAKE_LEASE = Call("take_lease", m.TakeLease, m.Lease, HostService.take_lease)
RELEASE_LEASE = Call("release_lease", OfToken, Nothing, _release_lease)
BREAK_LEASE = Call(
    "break_lease",
    BreakLease,
    MaybeLease,
    lambda host, q: MaybeLease(host.break_lease(q.who, q.why)),
)
STAGE = Call("stage", m.Stage, m.Staged, HostService.stage)
APPLY = Call("apply", m.Apply, Ended, lambda host, q: Ended(host.apply(q)))
CONFIRM = Call("confirm", m.Confirm, m.Confirmed, HostService.confirm)
REVERT = Call("revert", m.Revert, Ended, lambda host, q: Ended(host.revert(q)))
PREPARE_ROLLBACK = Call(
    "prepare_rollback", m.PrepareRollback, m.RollbackStaged, HostService.prepare_rollback
)
PREPARE_ROTATION = Call(
    "prepare_rotation", m.PrepareRotation, m.Staged, HostService.prepare_rotation
)
RECIPIENTS = Call("recipients", Nothing, Recipients, lambda host, _: Recipients(host.recipients()))
HISTORY = Call(
    "history", History, EntryList, lambda host, q: EntryList(host.history(q.instance, q.limit))
)
AUDIT_VERIFY = Call("audit_verify", Nothing, m.AuditReport, lambda host, _: host.audit_verify())
PRUNE = Call("prune", m.Prune, m.Pruned, HostService.prune)
PIN = Call("pin", m.Pin, Nothing, _pin)
DAEMON_STATUS = Call(
    "daemon_status", OfInstance, m.DaemonState, lambda host, q: host.daemon_status(q.instance)
)
START_DAEMON = Call(
    "start_daemon", OfInstance, m.DaemonState, lambda host, q: host.start_daemon(q.instance)
)
STOP_DAEMON = Call(
    "stop_daemon", OfInstance, Stopped, lambda host, q: Stopped(host.stop_daemon(q.instance))
)
RELOAD_DAEMON = Call(
    "reload_daemon", OfInstance, m.DaemonState, lambda host, q: host.reload_daemon(q.instance)
)
STAGE_PROGRAM = Call("stage_program", m.StageProgram, m.ProgramStaged, HostService.stage_program)
UPGRADE = Call("upgrade", m.Upgrade, Ended, lambda host, q: Ended(host.upgrade(q)))
FACTS = Call("facts", Nothing, upkeep.HostFacts, lambda host, _: host.facts())
READ_LOG = Call("read_log", upkeep.ReadLog, upkeep.LogLines, HostService.read_log)
EVIDENCE = Call(
    "evidence", OfInstance, EvidenceList, lambda host, q: EvidenceList(host.evidence(q.instance))
)
HOLD = Call("hold", upkeep.Hold, upkeep.Held, HostService.hold)
LIFT_HOLD = Call(
    "lift_hold", LiftHold, MaybeHeld, lambda host, q: MaybeHeld(host.lift_hold(q.who, q.why))
)
HEAL = Call("heal", upkeep.Heal, upkeep.Healed, HostService.heal)

# `Any`: each call has its own pair of types, and the codec checks what came against them.
_ALL: tuple[Call[Any, Any], ...] = (
    HELLO, INSTALL, OBSERVE, MEMBERS, TAKE_LEASE, RELEASE_LEASE, BREAK_LEASE, STAGE, APPLY,
    CONFIRM, REVERT, PREPARE_ROLLBACK, PREPARE_ROTATION, RECIPIENTS, HISTORY, AUDIT_VERIFY,
    PRUNE, PIN, DAEMON_STATUS, START_DAEMON, STOP_DAEMON,
    RELOAD_DAEMON, STAGE_PROGRAM, UPGRADE, FACTS, READ_LOG, EVIDENCE, HOLD, LIFT_HOLD, HEAL,
)  # fmt: skip
BY_NAME = {call.name: call for call in _ALL}
