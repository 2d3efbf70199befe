"""The hosts' daemons themselves: made, started, stopped, reloaded, looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zsops.config.hosts import Machine
from zsops.fleet import Fleet
from zsops.host import messages as m
from zsops.plan.settings import settings_of
from zsops.transport.base import HostSession
from zsops.upkeep import asked, leased

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
            made = session.install(m.Install(name, settings[machine.name, name]))
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
