"""Looking: what a plan or a status needs, read without a lease and without changing anything."""

from __future__ import annotations

import hashlib
import json

from zsops.errors import NoSuchRelease
from zsops.host import health, hold, journal, lease, rollback, store
from zsops.host.codec import to_json
from zsops.host.effects import DaemonStatus, FreeBytes, Now, ReadMembers, Steps, WallTime, do
from zsops.host.journal import State
from zsops.host.layout import InstancePaths
from zsops.host.messages import (
    DaemonState,
    HostedMember,
    InstanceSettings,
    Observation,
    Phase,
    ReleaseInfo,
)


def observe(instance: str) -> Steps[Observation]:
    """One instance, as it is now."""
    paths = InstancePaths(instance)
    state = yield from journal.peek(paths)
    free = yield from do(FreeBytes())
    held = yield from lease.holder()
    paused, wall = (yield from hold.read()), (yield from do(WallTime()))
    if state is None:
        return Observation(
            instance, installed=False, lease=held, hold=paused, wall=wall, free_bytes=free
        )
    settings = yield from health.settings(paths)
    linked = yield from store.linked(paths, paths.current)
    releases = yield from rollback.releases(paths)
    known = {one.release: one for one in releases}
    daemon = yield from do(DaemonStatus(instance))
    left = None
    if state.phase.in_flight and state.deadline is not None:
        left = max(0.0, state.deadline - (yield from do(Now())))
    return Observation(
        instance,
        installed=True,
        phase=state.phase,
        current=known.get(linked or ""),
        staged=known.get(state.next or ""),
        last_good=state.last_good,
        serial=state.serial,
        state_digest=_state_digest(state, linked, settings),
        settings=settings,
        releases=releases,
        quarantine=(yield from store.quarantine(paths)).releases,
        daemon=daemon,
        lease=held,
        hold=paused,
        wall=wall,
        deadline_s=left,
        unsafe=state.unsafe,
        drift=_drift(state, linked, known, daemon),
        free_bytes=free,
    )


def members(instance: str, release: str) -> Steps[tuple[HostedMember, ...]]:
    """The member index of a release."""
    paths = InstancePaths(instance)
    yield from journal.read(paths)
    if (yield from store.manifest(paths, release)) is None:
        raise NoSuchRelease(f"there is no release `{release}` in `{instance}`")
    _, found = yield from do(ReadMembers(f"{paths.release(release)}/site.tar"))
    return found


def _state_digest(state: State, linked: str | None, settings: InstanceSettings) -> str:
    """What a plan is bound to: anything a deployment changes, and nothing that a look changes."""
    facts = [state.phase, state.prev, state.next, state.last_good, state.serial, linked]
    content = json.dumps([*facts, to_json(settings)], sort_keys=True)
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def _drift(
    state: State, linked: str | None, known: dict[str, ReleaseInfo], daemon: DaemonState
) -> str | None:
    if linked is None:
        return "`current` leads to no release"
    if linked not in state.expected:
        return f"`current` leads to {linked}, the journal says {state.prev}"
    if linked not in known:
        return f"`current` leads to {linked}, which is not on this host"
    settled = state.phase in (Phase.IDLE, Phase.STAGED)
    serving = daemon.release_digest
    if settled and daemon.running and serving != known[linked].release_digest:
        return f"the daemon serves {serving}, `current` is {linked}"
    if settled and daemon.running and daemon.release != linked:
        return f"the daemon serves {daemon.release}, `current` is {linked}"
    return None
