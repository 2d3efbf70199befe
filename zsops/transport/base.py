"""How the operator's side talks to a host: a transport opens sessions, a session carries requests.

Every call may raise `HostUnreachable`/`LinkLost` (the link) or a `HostError` subclass (the host's
refusal, same text as on the host). All requests are idempotent: after a lost link, connect again
and repeat the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO, Protocol, Self, runtime_checkable

from zsops.host import messages as m
from zsops.host import upkeep

# Called with (bytes the host has, bytes in total) while a tar is sent, first at the resume offset.
UploadProgress = Callable[[int, int], None]


@runtime_checkable
class HostSession(Protocol):
    """One open conversation with a host's `zsops-host`. Not for use by several threads at once."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def close(self) -> None:
        """End the session; never raises. A lease and a deployment in flight outlive it."""

    def hello(self) -> m.Hello:
        """Protocol handshake; `ProtocolMismatch` when there is no common version."""

    def install(self, request: m.Install) -> m.Installed:
        """Make the instance with its placeholder release 000000, or update its settings."""

    def observe(self, instance: str) -> m.Observation:
        """Read the instance's state. `installed` is false for one that does not exist; no error."""

    def members(self, instance: str, release: str) -> tuple[m.HostedMember, ...]:
        """The member index of a release on the host, sorted by path; `NoSuchRelease`."""

    def take_lease(self, request: m.TakeLease) -> m.Lease:
        """Take the host; `LeaseHeld` names the holder, its age and its time to live."""

    def release_lease(self, token: int) -> None:
        """Give the host back. A token that is no longer the newest is a no-op."""

    def break_lease(self, who: str, why: str) -> m.Lease | None:
        """End somebody else's lease (audited); the broken lease, or None when there was none."""

    def stage(
        self, request: m.Stage, tar: BinaryIO, progress: UploadProgress | None = None
    ) -> m.Staged:
        """Send the tar (seekable; only what the host lacks) and have it checked and linked.

        Raises `DigestMismatch`, `ReleaseRefused`, `Quarantined`, `DiskFull`, `StaleToken`. After
        `LinkLost` call it again: it continues where the host stopped.
        """

    def apply(self, request: m.Apply) -> Iterator[m.StepEvent]:
        """ARM, SWITCH, RELOAD, HEALTH; events as they happen, the last with `outcome`.

        Raises only before anything was switched (`StaleToken`, `NotStaged`, `CannotArm`, …); later
        failures end in an event with outcome `reverted` or `unsafe`. After `healthy`, call
        `confirm` over a fresh session within the window, or the host reverts by itself.
        """

    def confirm(self, request: m.Confirm) -> m.Confirmed:
        """Commit the release. `SelfReverted` when the deadline came first."""

    def revert(self, request: m.Revert) -> Iterator[m.StepEvent]:
        """Abort a deployment in flight; the last event has outcome `reverted` or `unsafe`.

        With nothing in flight it is a no-op that ends in `reverted` and the release in service.
        """

    def prepare_rollback(self, request: m.PrepareRollback) -> m.RollbackStaged:
        """Stage the release a rollback goes to; then `apply` and `confirm` it like any other.

        `NoSuchRelease` when there is nothing to go back to (or `to` is unknown).
        """

    def prepare_rotation(self, request: m.PrepareRotation) -> m.Staged:
        """Stage the site in service with other material; then `apply` and `confirm` it.

        `MaterialRefused` when the host cannot open it, `ReleaseRefused` when it cannot serve.
        """

    def recipients(self) -> tuple[str, ...]:
        """Public keys whose private halves the host has: what material is encrypted to."""

    def history(self, instance: str, limit: int) -> tuple[m.AuditEntry, ...]:
        """The newest `limit` audit entries of the instance, oldest first."""

    def audit_verify(self) -> m.AuditReport:
        """Walk the host's audit chain."""

    def prune(self, request: m.Prune) -> m.Pruned:
        """Drop old releases and unused blobs."""

    def pin(self, request: m.Pin) -> None:
        """Pin or unpin a release."""

    def daemon_status(self, instance: str) -> m.DaemonState:
        """Ask the daemon; `running` is false when there is none (no error)."""

    def start_daemon(self, instance: str) -> m.DaemonState:
        """Start supervisor and daemon unless they run; `DaemonFailed` quotes the daemon."""

    def stop_daemon(self, instance: str) -> bool:
        """Stop supervisor and daemon gracefully; false when nothing ran."""

    def reload_daemon(self, instance: str) -> m.DaemonState:
        """Have the daemon load what is in service anew; `DaemonFailed` when it will not."""

    def stage_program(
        self, request: m.StageProgram, wheel: BinaryIO, progress: UploadProgress | None = None
    ) -> m.ProgramStaged:
        """Send a wheel and have it installed beside what runs; continues like `stage`.

        Raises `ProgramRefused`, `DigestMismatch`, `DiskFull`, `StaleToken`.
        """

    def upgrade(self, request: m.Upgrade) -> Iterator[m.StepEvent]:
        """Have an installed version take over; the last event has the outcome.

        `committed`; `reverted`: the old version serves; `unsafe`. Raises only before anything
        moved: `DaemonStopped`, `NotInstalled`, `DeployInFlight`, `StaleToken`.
        """

    def facts(self) -> upkeep.HostFacts:
        """The machine: its clock, software, user, disk."""

    def read_log(self, request: upkeep.ReadLog) -> upkeep.LogLines:
        """Lines of a log; see `ReadLog`."""

    def evidence(self, instance: str) -> tuple[upkeep.Evidence, ...]:
        """What the host kept of deployments that failed there, oldest first."""

    def hold(self, request: upkeep.Hold) -> upkeep.Held:
        """Keep new deployments away; leases are refused with `HostHeld` from now on."""

    def lift_hold(self, who: str, why: str) -> upkeep.Held | None:
        """End the hold; None when there was none."""

    def heal(self, request: upkeep.Heal) -> upkeep.Healed:
        """Bring the instance back to its own journal; wants a lease."""


@runtime_checkable
class Transport(Protocol):
    """A way to one host."""

    @property
    def host(self) -> str:
        """The host's name in the configuration."""

    @property
    def may_stay(self) -> bool:
        """Whether a session may stay open while sessions with other hosts are made."""

    def connect(self) -> HostSession:
        """A fresh session, handshake done. Raises `HostUnreachable` or `ProtocolMismatch`."""
