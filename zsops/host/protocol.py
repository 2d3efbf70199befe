"""The deploy protocol of one instance: ARM, SWITCH, RELOAD, HEALTH, then CONFIRM or REVERT.

Generators over effects, no I/O. The rule that everything rests on: the journal says where we are
going, durably, before we go (write-ahead); so at every crash point it is known how to get back.
"""

from __future__ import annotations

import contextlib

from zsops.errors import BadRequest, CannotArm, DaemonFailed, NotStaged, SelfReverted, ZsopsError
from zsops.frozen import replace
from zsops.host import evidence, health, journal, lease, store, telling
from zsops.host.effects import (
    ArmTimer,
    BootId,
    CheckRelease,
    DaemonStatus,
    EnsureDaemon,
    Now,
    Steps,
    Tell,
    do,
)
from zsops.host.journal import State
from zsops.host.layout import InstancePaths
from zsops.host.messages import (
    Apply,
    Confirm,
    Confirmed,
    Outcome,
    Phase,
    Progress,
    Revert,
    Step,
    StepEvent,
)
from zsops.host.recover import finish_commit, settle
from zsops.host.revert import load, revert

_ARM_TIMEOUT_S = 10.0
_WINDOW_S_MAX = 24 * 3600.0


def apply(request: Apply) -> Steps[Outcome]:
    """Put the staged release into service, up to HEALTHY. Repeating it resumes."""
    paths = InstancePaths(request.instance)
    health.check_policy(request.health)
    _check_times(request)
    state = yield from journal.read(paths)
    if state.phase is Phase.IDLE and state.last_good == state.prev == request.release:
        return (yield from _end(paths, state, Outcome.COMMITTED, request.release))
    yield from lease.authorise(request.token)
    settled = yield from settle(paths, request.token)
    state = settled.state
    if state.next != request.release or state.phase is Phase.IDLE:
        raise NotStaged(
            f"`{request.release}` is not the staged release of `{request.instance}`"
            + (f" ({settled.note})" if settled.note else ""),
            hint="stage it first; a plan is good for one deployment",
        )
    if state.phase is Phase.STAGED:
        yield from _start(request, paths, state.prev)
        state = yield from _arm(request, paths, state)
    else:  # resumed: its supervisor may have died with the operator
        yield from do(EnsureDaemon(paths.name, request.start_timeout_s))
    try:
        return (yield from _put_into_service(request, paths, state))
    except (OSError, ZsopsError) as fault:
        # Whatever broke, the way back needs no space and is journalled already.
        state = yield from journal.read(paths)
        done = yield from revert(paths, state, "the host failed", str(fault))
        return done.outcome


def _check_times(request: Apply) -> None:
    waits = (request.reload_timeout_s, request.start_timeout_s)
    if not all(0 < each <= health.TIMEOUT_S_MAX for each in waits):
        raise BadRequest(f"a reload or a start is waited for up to {health.TIMEOUT_S_MAX:g} s")
    if not 0 <= request.confirm_window_s <= _WINDOW_S_MAX:
        raise BadRequest(f"a confirmation is waited for up to {_WINDOW_S_MAX:g} s")


def _put_into_service(request: Apply, paths: InstancePaths, state: State) -> Steps[Outcome]:
    release = request.release
    digest = yield from store.digest_of(paths, release)
    if state.phase is Phase.ARMED:
        began = yield from telling.started(Step.SWITCH)
        yield from store.switch(paths, release, paths.next_link)
        state = yield from _advance(paths, state, Phase.SWITCHED)
        yield from telling.done(Step.SWITCH, began, f"current is {release}")
    if state.phase is Phase.SWITCHED:
        began = yield from telling.started(Step.RELOAD)
        problem = yield from load(paths, release, request.reload_timeout_s)
        if problem is not None:
            saved = yield from evidence.keep(paths, release, Step.RELOAD, problem)
            yield from telling.failed(Step.RELOAD, began, "reload-failed", problem, saved)
            done = yield from revert(paths, state, "reload failed", problem)
            return done.outcome
        state = yield from _advance(paths, state, Phase.RELOADED)
        daemon = yield from do(DaemonStatus(paths.name))
        yield from telling.done(Step.RELOAD, began, f"gen {daemon.generation}")
    if state.phase is Phase.RELOADED:
        began = yield from telling.started(Step.HEALTH)
        verdict = yield from health.judge(paths, release, digest, request.health)
        if verdict.problem is not None:
            saved = yield from evidence.keep(paths, release, Step.HEALTH, verdict.problem, verdict)
            yield from telling.failed(Step.HEALTH, began, "unhealthy", verdict.problem, saved)
            done = yield from revert(paths, state, "not healthy", verdict.problem)
            return done.outcome
        deadline = (yield from do(Now())) + request.confirm_window_s
        state = yield from _advance(paths, replace(state, deadline=deadline), Phase.HEALTHY)
        yield from do(ArmTimer(paths.name, state.seq, _ARM_TIMEOUT_S))
        yield from telling.done(Step.HEALTH, began, verdict.summary)
    return (yield from _end(paths, state, Outcome.HEALTHY, release))


def _start(request: Apply, paths: InstancePaths, serving: str) -> Steps[None]:
    """The daemon must run before ARM: the supervisor is what fires the deadline."""
    daemon = yield from do(DaemonStatus(paths.name))
    if daemon.running and daemon.supervised:
        return
    began = yield from telling.started(Step.START)
    started = yield from do(EnsureDaemon(paths.name, request.start_timeout_s))
    if started.error is None:
        yield from telling.done(Step.START, began, "the daemon was not running; started it")
        return
    # If the release in service is what stops it, the new one may be the cure: go on. Otherwise
    # (a port in use, say) nothing we switch to would run either.
    findings = yield from do(CheckRelease(paths.release(serving)))
    if not findings:
        saved = yield from evidence.keep(paths, request.release, Step.START, started.error)
        yield from telling.failed(Step.START, began, "daemon-failed", started.error, saved)
        raise DaemonFailed(
            f"the daemon of `{paths.name}` does not start: {started.error}",
            hint="nothing was switched; fix the cause, then deploy again",
        )
    text = f"the daemon does not start on the release in service: {findings[0]}"
    yield from do(Tell(StepEvent(Step.START, Progress.NOTE, text)))


def _arm(request: Apply, paths: InstancePaths, state: State) -> Steps[State]:
    began = yield from telling.started(Step.ARM)
    budget = request.reload_timeout_s + request.start_timeout_s + request.health.timeout_s
    armed = replace(
        state,
        deadline=(yield from do(Now())) + budget + request.confirm_window_s,
        boot_id=(yield from do(BootId())),
        window_s=request.confirm_window_s,
        token=request.token,
    )
    armed = yield from _advance(paths, armed, Phase.ARMED)
    if not (yield from do(ArmTimer(paths.name, armed.seq, _ARM_TIMEOUT_S))):
        back = replace(
            armed, phase=Phase.STAGED, event="disarmed", detail="no timer", deadline=None
        )
        yield from journal.transition(paths, back)
        yield from telling.failed(
            Step.ARM, began, "cannot-arm", "the supervisor did not take the timer"
        )
        raise CannotArm(
            f"the supervisor of `{paths.name}` did not take the revert timer; nothing was switched",
            hint="look at its log, or `zsops daemon restart`",
        )
    yield from telling.done(
        Step.ARM, began, f"reverts by itself in {budget + armed.window_s:.0f} s"
    )
    return armed


def confirm(request: Confirm) -> Steps[Confirmed]:
    """COMMITTED, last good = next; then DONE. Repeating it answers the same."""
    paths = InstancePaths(request.instance)
    state = yield from journal.read(paths)
    if _is_committed(state, request.release):
        settled = (yield from settle(paths, None)).state
        return Confirmed(settled.prev, (yield from store.digest_of(paths, settled.prev)))
    if state.next != request.release or not state.phase.in_flight:
        raise _came_too_late(request.release, state)
    yield from lease.authorise(request.token)
    state = (yield from settle(paths, request.token)).state
    if state.next != request.release or not state.phase.in_flight:
        raise _came_too_late(request.release, state)
    if state.phase is not Phase.HEALTHY:
        raise NotStaged(f"`{request.release}` is `{state.phase}`, not healthy yet")
    digest = yield from store.digest_of(paths, request.release)
    daemon = yield from do(DaemonStatus(paths.name))
    if (daemon.release, daemon.release_digest) != (request.release, digest):
        raise DaemonFailed(
            f"the daemon serves {daemon.release}, not `{request.release}` ({digest})",
            hint="confirm again when it is back, or let the host revert",
        )
    committed = replace(state, last_good=request.release, unsafe=None, deadline=None)
    told = (yield from store.origin(paths, request.release)).told
    state = yield from _advance(paths, committed, Phase.COMMITTED, told)
    # The timer's handler looks at the phase again under the lock, so disarming is a courtesy.
    yield from do(ArmTimer(paths.name, state.seq, _ARM_TIMEOUT_S))
    yield from finish_commit(paths, state)
    with contextlib.suppress(OSError):
        yield from store.lift_quarantine(paths, request.release)
    return Confirmed(request.release, digest)


def _is_committed(state: State, release: str) -> bool:
    if state.phase is Phase.COMMITTED:
        return state.next == release
    return not state.phase.in_flight and state.prev == state.last_good == release


def _came_too_late(release: str, state: State) -> SelfReverted:
    return SelfReverted(
        f"`{release}` was reverted before the confirmation; `{state.prev}` serves"
        + (f" ({state.detail})" if state.event == "reverted" and state.detail else ""),
        hint="look at `zsops history`, then deploy again",
    )


def abort(request: Revert) -> Steps[Outcome]:
    """Go back now. Nothing in flight: say what serves, change nothing."""
    paths = InstancePaths(request.instance)
    yield from lease.authorise(request.token)
    state = (yield from settle(paths, request.token)).state
    if state.phase.in_flight:
        return (yield from revert(paths, state, request.reason)).outcome
    return (yield from _end(paths, state, Outcome.REVERTED, state.prev))


# -- telling -------------------------------------------------------------------------


def _advance(paths: InstancePaths, state: State, phase: Phase, told: str = "") -> Steps[State]:
    moved = replace(state, phase=phase, event=phase.value, detail=told)
    return (yield from journal.transition(paths, moved))


_END_STEPS = {
    Outcome.HEALTHY: (Step.CONFIRM, Progress.STARTED),  # it is the operator's turn now
    Outcome.COMMITTED: (Step.DONE, Progress.DONE),
    Outcome.REVERTED: (Step.REVERT, Progress.DONE),
}


def _end(paths: InstancePaths, state: State, outcome: Outcome, release: str) -> Steps[Outcome]:
    left = None
    if outcome is Outcome.HEALTHY and state.deadline is not None:
        left = state.deadline - (yield from do(Now()))
    step, progress = _END_STEPS[outcome]
    event = StepEvent(
        step,
        progress,
        f"serving {release}",
        outcome=outcome,
        serving=release,
        release_digest=(yield from store.digest_of(paths, release)),
        deadline_s=left,
    )
    yield from do(Tell(event))
    return outcome
