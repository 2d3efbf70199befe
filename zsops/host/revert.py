"""REVERT: back to the release that served before, without the operator.

Order: journal REVERTING, `current` to prev, reload, health of prev; then last good; when that is
not healthy either, the host is *unsafe*: the better of the two stays in service and a person is
needed. The same steps run again from their start when they were cut off.
"""

from __future__ import annotations

from zsops.errors import NoSuchRelease
from zsops.frozen import frozen, replace
from zsops.host import evidence, health, journal, store
from zsops.host.effects import BootId, DaemonStatus, EnsureDaemon, Now, Reload, Steps, Tell, do
from zsops.host.journal import State
from zsops.host.layout import InstancePaths
from zsops.host.messages import Fault, HealthPolicy, Outcome, Phase, Progress, Step, StepEvent

_RELOAD_TIMEOUT_S = 30.0
_START_TIMEOUT_S = 20.0
# prev was healthy before: the digest is proof enough, the new release's checks may not fit it.
_PREV_HEALTH = HealthPolicy(successes=2, interval_s=0.1, timeout_s=10.0)


@frozen
class Reverted:
    """Where a revert ended."""

    state: State
    outcome: Outcome
    event: StepEvent


def revert(
    paths: InstancePaths, state: State, reason: str, failed: str | None = None
) -> Steps[Reverted]:
    """Go back, with the daemon running. `failed`: how next failed, if it did (quarantine)."""
    began = yield from do(Now())
    yield from do(Tell(StepEvent(Step.REVERT, Progress.STARTED, reason)))
    stopped_in, release = state.phase, state.next
    state = yield from _enter(paths, state, reason, failed)
    yield from evidence.keep_of_stopped(paths, stopped_in, release, failed or reason)
    tried: list[str] = []
    loaded: str | None = None
    for release in dict.fromkeys((state.prev, state.last_good)):
        yield from store.switch(paths, release, paths.prev_link)
        problem = yield from load(paths, release, _RELOAD_TIMEOUT_S)
        if problem is None:
            loaded = loaded or release
            digest = yield from store.digest_of(paths, release)
            problem = (yield from health.judge(paths, release, digest, _PREV_HEALTH)).problem
        if problem is None:
            return (yield from _finish(paths, state, release, began, unsafe=None))
        tried.append(f"{release}: {problem}")
    best = loaded or state.prev
    yield from store.switch(paths, best, paths.prev_link)
    if best != state.last_good:
        yield from load(paths, best, _RELOAD_TIMEOUT_S)
    return (yield from _finish(paths, state, best, began, unsafe="; ".join(tried)))


def revert_offline(paths: InstancePaths, state: State, reason: str) -> Steps[State]:
    """Go back while no daemon runs: it will start on prev, and its start is the check."""
    state = yield from _enter(paths, state, reason, state.quarantine)
    yield from store.switch(paths, state.prev, paths.prev_link)
    yield from _quarantine_next(paths, state)
    return (yield from journal.transition(paths, _settled(state, state.prev, None)))


def load(paths: InstancePaths, release: str, timeout_s: float) -> Steps[str | None]:
    """Have the daemon load `current`, which names `release`; start it when it is down.

    The answer is the daemon's own words when it would not.
    """
    digest = yield from store.digest_of(paths, release)
    answer = yield from do(Reload(paths.name, digest, timeout_s))
    if answer.running:
        return None if answer.ok else answer.error or "the reload failed without a reason"
    started = yield from do(EnsureDaemon(paths.name, _START_TIMEOUT_S))
    if started.error is not None:
        return started.error
    daemon = yield from do(DaemonStatus(paths.name))
    if (daemon.release, daemon.release_digest) == (release, digest):
        return None
    return f"the daemon serves {daemon.release}, expected {release}"


def _enter(paths: InstancePaths, state: State, reason: str, failed: str | None) -> Steps[State]:
    if state.phase is Phase.REVERTING:
        return state
    # The deadline is now: if this process dies, the supervisor takes over at once.
    reverting = replace(
        state,
        phase=Phase.REVERTING,
        deadline=(yield from do(Now())),
        boot_id=(yield from do(BootId())),
        quarantine=failed,
        event="reverting",
        detail=reason if failed is None else f"{reason}: {failed}",
    )
    return (yield from journal.transition(paths, reverting))


def _settled(state: State, serving: str, unsafe: str | None) -> State:
    return replace(
        state,
        phase=Phase.IDLE,
        prev=serving,
        deadline=None,
        quarantine=None,
        unsafe=unsafe,
        event="reverted" if unsafe is None else "unsafe",
        detail=f"serving {serving}" if unsafe is None else f"serving {serving}; {unsafe}",
        next=None,
    )


def _quarantine_next(paths: InstancePaths, state: State) -> Steps[None]:
    if state.quarantine is None or state.next is None:
        return
    try:
        yield from store.add_quarantine(paths, state.next, state.quarantine)
    except (OSError, NoSuchRelease):
        return  # a full disk must not stop a revert; the audit line has the reason too


def _finish(
    paths: InstancePaths, state: State, release: str, began: float, unsafe: str | None
) -> Steps[Reverted]:
    yield from _quarantine_next(paths, state)
    fault = None
    if state.quarantine is not None:
        fault = Fault("release-failed", state.quarantine)
    elif state.detail:
        fault = Fault("reverted", state.detail)
    settled = yield from journal.transition(paths, _settled(state, release, unsafe))
    event = StepEvent(
        Step.REVERT,
        Progress.DONE if unsafe is None else Progress.FAILED,
        f"serving {release}" + (" (healthy)" if unsafe is None else f"; {unsafe}"),
        ms=int(((yield from do(Now())) - began) * 1000),
        error=fault if unsafe is None else Fault("unsafe", unsafe),
        outcome=Outcome.REVERTED if unsafe is None else Outcome.UNSAFE,
        serving=release,
        release_digest=(yield from store.digest_of(paths, release)),
    )
    yield from do(Tell(event))
    return Reverted(settled, event.outcome or Outcome.REVERTED, event)
