"""The host's requests, each a run of protocol steps on a world; changing ones under the lock.

Both the framed session (`serve.py`) and the fake host in memory call exactly this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from zeroserve import __version__
from zsops.errors import BadRequest, DaemonFailed, DaemonStopped, DeployInFlight
from zsops.frozen import replace
from zsops.host import (
    audit,
    health,
    journal,
    lease,
    logs,
    material,
    program,
    protocol,
    prune,
    recover,
    revert,
    rollback,
    stage,
    store,
    upkeep,
)
from zsops.host import evidence as failures
from zsops.host import heal as healing
from zsops.host import hold as holding
from zsops.host import install as installing
from zsops.host import messages as m
from zsops.host import observe as observing
from zsops.host import upgrade as upgrading
from zsops.host.effects import (
    AboutMachine,
    BootId,
    DaemonStatus,
    Effect,
    EnsureDaemon,
    FreeBytes,
    ListDir,
    Steps,
    StopDaemon,
    WallTime,
    do,
    drive,
)
from zsops.host.layout import INSTANCES, InstancePaths
from zsops.host.world import World

T = TypeVar("T")
_START_TIMEOUT_S = 20.0
_RELOAD_TIMEOUT_S = 30.0


class HostService:
    """One host's answers. `after` runs behind every effect that changed something (for tests)."""

    def __init__(
        self,
        world: World,
        root: str,
        after: Callable[[Effect[object]], None] | None = None,
        pinned: tuple[str, ...] = (),
    ) -> None:
        """`pinned`: the instances that the session is for, where it is for some only."""
        self._pinned = pinned
        self._world = world
        self._root = root
        self._after = after

    def _look(self, steps: Steps[T]) -> T:
        return drive(steps, self._world)

    def _change(self, steps: Steps[T]) -> T:
        with self._world.exclusive():
            return drive(steps, self._world, self._after)

    def hello(self) -> m.Hello:
        said = self._look(_hello(self._root))
        mine = tuple(each for each in said.instances if each in self._pinned)
        return replace(said, instances=mine) if self._pinned else said

    def install(self, request: m.Install) -> m.Installed:
        return self._change(installing.install(request))

    def observe(self, instance: str) -> m.Observation:
        return self._look(observing.observe(instance))

    def members(self, instance: str, release: str) -> tuple[m.HostedMember, ...]:
        return self._look(observing.members(instance, release))

    def take_lease(self, request: m.TakeLease) -> m.Lease:
        return self._change(lease.take(request, self._pinned))

    def release_lease(self, token: int) -> None:
        return self._change(lease.release(token))

    def break_lease(self, who: str, why: str) -> m.Lease | None:
        return self._change(lease.break_it(who, why))

    def stage(self, request: m.Stage) -> m.Staged:
        return self._change(stage.stage(request))

    def apply(self, request: m.Apply) -> m.Outcome:
        return self._change(protocol.apply(request))

    def confirm(self, request: m.Confirm) -> m.Confirmed:
        return self._change(protocol.confirm(request))

    def revert(self, request: m.Revert) -> m.Outcome:
        return self._change(protocol.abort(request))

    def prepare_rollback(self, request: m.PrepareRollback) -> m.RollbackStaged:
        return self._change(rollback.prepare(request))

    def prepare_rotation(self, request: m.PrepareRotation) -> m.Staged:
        return self._change(rollback.prepare_rotation(request))

    def recipients(self) -> tuple[str, ...]:
        return self._change(material.recipients())

    def history(self, instance: str, limit: int) -> tuple[m.AuditEntry, ...]:
        if limit < 1:
            raise BadRequest("a history needs a limit of at least 1")
        return self._look(_history(instance))[-limit:]

    def audit_verify(self) -> m.AuditReport:
        return self._look(audit.check())

    def prune(self, request: m.Prune) -> m.Pruned:
        return self._change(prune.prune(request))

    def pin(self, request: m.Pin) -> None:
        return self._change(_pin(request))

    def daemon_status(self, instance: str) -> m.DaemonState:
        return self._look(_status(instance))

    def stage_program(self, request: m.StageProgram) -> m.ProgramStaged:
        return self._change(program.stage(request))

    def has_program(self, request: m.StageProgram) -> bool:
        """Whether the version is here, so that staging it changes nothing."""
        return self._look(program.installed(request.version)) is not None

    def upgrade(self, request: m.Upgrade) -> m.Outcome:
        return self._change(upgrading.upgrade(request))

    def start_daemon(self, instance: str) -> m.DaemonState:
        return self._change(_start(instance))

    def stop_daemon(self, instance: str) -> bool:
        # Without the lock: a supervisor that is asked to stop may be about to take it.
        return self._look(do(StopDaemon(InstancePaths(instance).name)))

    def reload_daemon(self, instance: str) -> m.DaemonState:
        return self._change(_reload(instance))

    def facts(self) -> upkeep.HostFacts:
        return self._look(_facts())

    def read_log(self, request: upkeep.ReadLog) -> upkeep.LogLines:
        return self._look(logs.read(request))

    def evidence(self, instance: str) -> tuple[upkeep.Evidence, ...]:
        return self._look(failures.read(instance))

    def hold(self, request: upkeep.Hold) -> upkeep.Held:
        return self._change(holding.place(request))

    def lift_hold(self, who: str, why: str) -> upkeep.Held | None:
        return self._change(holding.lift(who, why))

    def heal(self, request: upkeep.Heal) -> upkeep.Healed:
        return self._change(healing.heal(request))

    # -- what a session may, see `rights.py` -----------------------------------------

    def has_foreign_lease(self, token: int) -> bool:
        """Whether the token is that of a lease which another kind of session took."""
        return self._look(lease.is_foreign(token, self._pinned))

    def may_have_program(self, request: m.StageProgram) -> bool:
        """Whether staging it brings nothing that the host's owner has not let in."""
        here = self.has_program(request)
        return here or request.digest in self._look(program.allowed())

    def settings(self, instance: str) -> m.InstanceSettings | None:
        """Those of an instance; None when it is not installed."""
        return self._look(_settings(instance))

    # -- the host's own, not reachable by an operator --------------------------------

    def expire(self, instance: str) -> recover.Settled:
        """What the revert timer runs: go back if that is due by now."""
        return self._change(recover.settle(InstancePaths(instance), None))

    def recover(self, instance: str) -> recover.Settled | None:
        """What runs before the daemon starts."""
        return self._change(recover.recover(InstancePaths(instance)))

    def allow_wheels(self, digests: Sequence[str]) -> tuple[str, ...]:
        """Let these in, whoever brings them; all that are let in."""
        return self._change(program.allow(digests))

    def instances(self) -> tuple[str, ...]:
        return self._look(do(ListDir(INSTANCES)))


def software() -> str:
    """Name and version of this side, for the handshake."""
    python = ".".join(str(each) for each in sys.version_info[:3])
    return f"zsops {__version__} (python {python})"


def _hello(root: str) -> Steps[m.Hello]:
    return m.Hello(
        protocol=m.PROTOCOL_VERSION,
        software=software(),
        root=root,
        boot_id=(yield from do(BootId())),
        instances=(yield from do(ListDir(INSTANCES))),
    )


def _history(instance: str) -> Steps[tuple[m.AuditEntry, ...]]:
    yield from journal.read(InstancePaths(instance))
    return (yield from audit.entries(instance))


def _pin(request: m.Pin) -> Steps[None]:
    paths = InstancePaths(request.instance)
    yield from journal.read(paths)
    yield from lease.authorise(request.token)
    yield from store.pin(paths, request.release, request.pinned)


def _settings(instance: str) -> Steps[m.InstanceSettings | None]:
    paths = InstancePaths(instance)
    if (yield from journal.peek(paths)) is None:
        return None
    return (yield from health.settings(paths))


def _status(instance: str) -> Steps[m.DaemonState]:
    yield from journal.read(InstancePaths(instance))
    return (yield from do(DaemonStatus(instance)))


def _facts() -> Steps[upkeep.HostFacts]:
    about = yield from do(AboutMachine())
    return upkeep.HostFacts(
        wall=(yield from do(WallTime())),
        software=software(),
        user=about.user,
        kernel=about.kernel,
        systemd=about.systemd,
        free_bytes=(yield from do(FreeBytes())),
    )


def _reload(instance: str) -> Steps[m.DaemonState]:
    paths = InstancePaths(instance)
    state = (yield from recover.settle(paths, None)).state
    if state.phase.in_flight:
        raise DeployInFlight(f"a deployment of `{instance}` is not confirmed yet")
    if not (yield from do(DaemonStatus(instance))).running:
        raise DaemonStopped(
            f"the daemon of `{instance}` is not running", hint="`zsops daemon start` starts it"
        )
    problem = yield from revert.load(paths, state.prev, _RELOAD_TIMEOUT_S)
    if problem is not None:
        raise DaemonFailed(f"the daemon of `{instance}` does not reload: {problem}")
    return (yield from do(DaemonStatus(instance)))


def _start(instance: str) -> Steps[m.DaemonState]:
    yield from recover.settle(InstancePaths(instance), None)
    started = yield from do(EnsureDaemon(instance, _START_TIMEOUT_S))
    if started.error is not None:
        raise DaemonFailed(
            f"the daemon of `{instance}` does not start: {started.error}",
            hint="its whole log is in `log/daemon.log` of the instance",
        )
    return (yield from do(DaemonStatus(instance)))
