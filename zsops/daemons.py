"""The hosts' daemons themselves: made, started, stopped, reloaded, looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from zsops.apply.run import Run
from zsops.apply.target import NewDaemon
from zsops.build.wheel import read_wheel
from zsops.build.wished import site_hosts
from zsops.config.hosts import Machine
from zsops.config.strategy import Strategy
from zsops.errors import NotInstalled, UsageError
from zsops.fleet import Fleet
from zsops.host import messages as m
from zsops.notify.around import Around
from zsops.plan.settings import settings_of, with_the_hosts_own
from zsops.transport.base import HostSession
from zsops.upkeep import asked, leased

_DRAIN_S = 60.0

#: What is done to one instance; the state it leaves.
_Act = Callable[[HostSession, str], m.DaemonState]


@dataclass(frozen=True)
class DaemonAt:
    """The daemon of one instance."""

    host: str
    instance: str
    state: m.DaemonState


def look(fleet: Fleet) -> list[DaemonAt]:
    """All daemons. Raises HostUnreachable."""
    return _each(fleet, _state)


def install(fleet: Fleet) -> list[DaemonAt]:
    """Instances with the file's settings, running; a new one says that nothing is deployed yet."""
    settings = {
        (machine.name, name): settings_of(instance) for machine, name, instance in fleet.scope
    }

    def make(machine: Machine, session: HostSession) -> list[DaemonAt]:
        found = []
        for name in _names(fleet, machine):
            seen = session.observe(name).settings
            wished = with_the_hosts_own(settings[machine.name, name], seen)
            made = session.install(m.Install(name, wished))
            if made.restart_needed:
                session.stop_daemon(name)
            found.append(DaemonAt(machine.name, name, session.start_daemon(name)))
        return found

    return _flat(asked(fleet, make))


def start(fleet: Fleet) -> list[DaemonAt]:
    """Running daemons everywhere. Raises DaemonFailed, NotInstalled, LeaseHeld."""
    return _changed(fleet, "daemon start", lambda session, name: session.start_daemon(name))


def stop(fleet: Fleet) -> list[DaemonAt]:
    """No daemon anywhere: each drains first."""

    def end(session: HostSession, name: str) -> m.DaemonState:
        session.stop_daemon(name)
        return _state(session, name)

    return _changed(fleet, "daemon stop", end)


def restart(fleet: Fleet) -> list[DaemonAt]:
    """Stopped and started, one host after the other."""

    def again(session: HostSession, name: str) -> m.DaemonState:
        session.stop_daemon(name)
        return session.start_daemon(name)

    return _changed(fleet, "daemon restart", again, in_turn=True)


def reload(fleet: Fleet) -> list[DaemonAt]:
    """What is in service, loaded anew. Raises DaemonStopped, DaemonFailed."""
    return _changed(fleet, "daemon reload", lambda session, name: session.reload_daemon(name))


def upgrade(
    fleet: Fleet,
    *,
    wheel: Path | None = None,
    version: str | None = None,
    drain_s: float | None = None,
    reason: str = "",
    strategy: Strategy | None = None,
) -> Around:
    """Another version takes over on every host, wave after wave; nobody's connection is cut.

    `wheel` is sent to hosts that lack its version; `version` alone must be there. Without either
    the file's `daemon` says. Raises UsageError, BuildError, NotInstalled, HostUnreachable.
    """
    new = _wanted(fleet, wheel, version)
    if drain_s is not None:
        new = replace(new, drain_s=drain_s)
    seen = {(each.host, each.instance): each for each in fleet.status()}
    targets = []
    for machine, name, instance in fleet.scope:
        status = seen[machine.name, name]
        if status.error is None and not status.observation.installed:
            raise NotInstalled(
                f"there is no instance `{name}` on `{machine.name}`",
                hint=f"run `zsops deploy {fleet.env}`",
            )
        old, current = status.observation.daemon.version, status.observation.current
        targets.append(
            replace(
                fleet.target(machine, name, instance),
                daemon=replace(new, old=old),
                only_daemon=True,
                site_hosts=site_hosts(instance),
                settled=current.release if current is not None and old == new.version else None,
            )
        )
    run = Run(
        targets,
        fleet.info(reason or f"daemon {new.version}"),
        rollout=fleet.rollout(strategy or fleet.strategy()),
        owner=fleet,
    )
    return Around(fleet, "daemon", run)


def _wanted(fleet: Fleet, wheel: Path | None, version: str | None) -> NewDaemon:
    wished = fleet.wished_daemon
    drain_s = wished.drain_s if wished is not None else _DRAIN_S
    if wheel is not None:
        found = read_wheel(wheel)
        if version not in (None, found.version):
            raise UsageError(f"`{wheel}` is version {found.version}, not {version}")
        return NewDaemon(found.version, drain_s, found.path, found.digest, found.size)
    if version is not None and (wished is None or wished.version != version):
        return NewDaemon(version, drain_s)
    if wished is None:
        raise UsageError(
            "which version? `zsops.yaml` names none",
            hint="`--wheel FILE`, `--version VERSION`, or `daemon: {version: …, wheel: …}`",
        )
    return wished


def _state(session: HostSession, name: str) -> m.DaemonState:
    """Also of an instance that does not exist: nothing runs."""
    return session.observe(name).daemon


def _names(fleet: Fleet, machine: Machine) -> list[str]:
    return [name for at, name, _ in fleet.scope if at == machine]


def _each(fleet: Fleet, act: _Act) -> list[DaemonAt]:
    def work(machine: Machine, session: HostSession) -> list[DaemonAt]:
        return [DaemonAt(machine.name, n, act(session, n)) for n in _names(fleet, machine)]

    return _flat(asked(fleet, work))


def _changed(fleet: Fleet, why: str, act: _Act, *, in_turn: bool = False) -> list[DaemonAt]:
    """As `_each`, under a lease: nobody deploys meanwhile."""
    info = fleet.info(why)

    def work(machine: Machine, session: HostSession) -> list[DaemonAt]:
        with leased(session, info, why):
            return [DaemonAt(machine.name, n, act(session, n)) for n in _names(fleet, machine)]

    return _flat(asked(fleet, work, in_turn=in_turn))


def _flat(found: Iterable[tuple[str, list[DaemonAt]]]) -> list[DaemonAt]:
    return [each for _, daemons in found for each in daemons]
