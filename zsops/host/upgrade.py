"""Upgrade: another version of the daemon takes over, and no connection is refused or cut.

The new one starts beside the old one, on the same listening sockets and the release in service. It
is judged at a door where it alone answers, then the old one drains and the listeners are asked;
only then the choice of version is made durable. Until there whatever fails or dies ends in the old
version: the new one is ended, or the old one takes over again in the same way. A restart is never
part of it.
"""

from __future__ import annotations

from zeroserve import __version__
from zsops.errors import BadRequest, DaemonStopped, DeployInFlight, NotInstalled
from zsops.frozen import frozen, replace
from zsops.host import audit, health, journal, lease, old_programs, program, store, telling
from zsops.host.effects import (
    CandidateStatus,
    DaemonStatus,
    DropSlot,
    EnsureDaemon,
    KeepSlot,
    StartSlot,
    Steps,
    SwapSlot,
    Tell,
    do,
)
from zsops.host.layout import InstancePaths
from zsops.host.messages import Fault, Outcome, Progress, Step, StepEvent, Upgrade
from zsops.host.receive import full
from zsops.host.recover import settle

_DRAIN_S_MAX = 3600.0
_ASK_S = 10.0  # what the supervisor has for an answer


@frozen
class _Way:
    """From which version to which; None stands for the installation's own."""

    old: str | None
    new: str | None
    told: str  # `0.4.1 -> 0.4.2`
    pid: int | None  # of the daemon that served before


def upgrade(request: Upgrade) -> Steps[Outcome]:
    """Swap the daemon. Raises DaemonStopped, NotInstalled, DeployInFlight before anything moves."""
    paths = InstancePaths(request.instance)
    health.check_policy(request.health)
    if not 0 <= request.drain_s <= _DRAIN_S_MAX:
        raise BadRequest(f"a daemon drains for at most {_DRAIN_S_MAX:g} s")
    if not 0 < request.start_timeout_s <= health.TIMEOUT_S_MAX:
        raise BadRequest(f"a start is waited for up to {health.TIMEOUT_S_MAX:g} s")
    yield from journal.read(paths)
    yield from lease.authorise(request.token)
    state = (yield from settle(paths, request.token)).state
    if state.phase.in_flight:
        raise DeployInFlight(f"a deployment of `{paths.name}` is not confirmed yet")
    daemon = yield from do(DaemonStatus(paths.name))
    if not daemon.running:
        raise DaemonStopped(
            f"the daemon of `{paths.name}` is not running: nothing to take over from",
            hint="`zsops daemon start` starts it",
        )
    old, new = (yield from program.chosen(paths)), (yield from _resolved(request.version))
    if daemon.version == request.version and old == new:
        return (yield from _end(paths, state.prev, Outcome.COMMITTED, f"runs {daemon.version}"))
    try:
        yield from audit.make_room()
    except OSError as error:
        raise full(error) from error
    way = _Way(old, new, f"{daemon.version} -> {request.version}", daemon.pid)
    problem = yield from _prove(paths, state.prev, new, request)
    if problem is not None:
        yield from do(DropSlot(paths.name, _ASK_S))
        yield from _record("daemon-upgrade-failed", request, f"{way.told}: {problem}")
        return (yield from _end(paths, state.prev, Outcome.REVERTED, way.told, problem))
    return (yield from _take_over(paths, state.prev, way, request))


def _resolved(version: str) -> Steps[str | None]:
    if (yield from program.installed(version)) is not None:
        return version
    if version == __version__:
        return None
    raise NotInstalled(
        f"version {version} of the daemon is not on this host",
        hint="send it: `zsops daemon upgrade --wheel FILE`",
    )


def _prove(
    paths: InstancePaths, release: str, version: str | None, request: Upgrade
) -> Steps[str | None]:
    """Start a candidate and judge it; what is wrong with it, if anything."""
    began = yield from telling.started(Step.START)
    started = yield from do(StartSlot(paths.name, version, request.start_timeout_s))
    if started.error is not None:
        yield from telling.failed(Step.START, began, "daemon-failed", started.error)
        return f"it does not start: {started.error}"
    candidate = yield from do(CandidateStatus(paths.name))
    yield from telling.done(Step.START, began, f"{candidate.version} beside the old one")
    began = yield from telling.started(Step.HEALTH)
    digest = yield from store.digest_of(paths, release)
    verdict = yield from health.judge(paths, release, digest, request.health, candidate=True)
    if verdict.problem is not None:
        yield from telling.failed(Step.HEALTH, began, "unhealthy", verdict.problem)
        return verdict.problem
    yield from telling.done(Step.HEALTH, began, verdict.summary)
    return None


def _take_over(paths: InstancePaths, release: str, way: _Way, request: Upgrade) -> Steps[Outcome]:
    """The candidate is good: it takes over, and is kept once the listeners have been asked."""
    began = yield from telling.started(Step.SWITCH)
    problem = yield from _swap(paths, release, request)
    problem = problem or (yield from _chosen(paths, way.new))
    problem = problem or (yield from do(KeepSlot(paths.name, _ASK_S)))
    if problem is None:
        yield from _record("daemon-upgraded", request, way.told)
        yield from telling.done(Step.SWITCH, began, f"{way.told}; the old one drains")
        yield from old_programs.prune(request.who)
        return (yield from _end(paths, release, Outcome.COMMITTED, way.told))
    yield from telling.failed(Step.SWITCH, began, "daemon-failed", problem)
    return (yield from _back(paths, release, way, problem, request))


def _swap(paths: InstancePaths, release: str, request: Upgrade) -> Steps[str | None]:
    problem = yield from do(SwapSlot(paths.name, request.drain_s, _ASK_S))
    if problem is not None:
        return problem
    # On the public listeners now, where the old one accepts no more.
    digest = yield from store.digest_of(paths, release)
    return (yield from health.judge(paths, release, digest, request.health)).problem


def _chosen(paths: InstancePaths, version: str | None) -> Steps[str | None]:
    """Have the next start take this version, too; why it would not."""
    try:
        yield from program.choose(paths, version)
    except OSError as error:  # a full disk, say
        return f"the choice of version cannot be written: {error.strerror}"
    return None


def _back(
    paths: InstancePaths, release: str, way: _Way, reason: str, request: Upgrade
) -> Steps[Outcome]:
    """The new daemon serves badly, or has died: the old version takes over again."""
    began = yield from telling.started(Step.REVERT)
    yield from do(DropSlot(paths.name, _ASK_S))
    unwritten = None
    if (yield from program.chosen(paths)) != way.old:
        unwritten = yield from _chosen(paths, way.old)
    # Yesterday's checks are no reason to stay on what has just failed.
    quick = replace(request, health=replace(request.health, checks=(), content=()))
    problem = (yield from _restored(paths, release, way, quick)) or unwritten
    if problem is None:
        yield from _record("daemon-upgrade-failed", request, f"{way.told}: {reason}")
        yield from telling.done(Step.REVERT, began, "the old version serves")
        return (yield from _end(paths, release, Outcome.REVERTED, way.told, reason))
    text = f"{reason}; going back: {problem}"
    yield from _record("daemon-unsafe", request, f"{way.told}: {text}")
    yield from telling.failed(Step.REVERT, began, "unsafe", problem)
    return (yield from _end(paths, release, Outcome.UNSAFE, way.told, text))


def _restored(paths: InstancePaths, release: str, way: _Way, request: Upgrade) -> Steps[str | None]:
    """Have the old version serve, whatever runs now; why it does not."""
    started = yield from do(EnsureDaemon(paths.name, request.start_timeout_s))
    if started.error is not None:
        return started.error
    daemon = yield from do(DaemonStatus(paths.name))
    if daemon.pid == way.pid or started.fresh:  # never left, or started again as chosen now
        digest = yield from store.digest_of(paths, release)
        return (yield from health.judge(paths, release, digest, request.health)).problem
    problem = yield from _prove(paths, release, way.old, request)
    if problem is None:
        problem = yield from _swap(paths, release, request)
    return problem or (yield from do(KeepSlot(paths.name, _ASK_S)))


def _record(event: str, request: Upgrade, detail: str) -> Steps[None]:
    yield from audit.record(
        event, instance=request.instance, who=request.who, why=request.why, detail=detail
    )


# -- telling ---------------------------------------------------------------------------


def _end(
    paths: InstancePaths, release: str, outcome: Outcome, told: str, problem: str | None = None
) -> Steps[Outcome]:
    code = "unsafe" if outcome is Outcome.UNSAFE else "daemon-failed"
    event = StepEvent(
        Step.DONE,
        Progress.DONE if problem is None else Progress.FAILED,
        told,
        error=None if problem is None else Fault(code, f"{told}: {problem}"),
        outcome=outcome,
        serving=release,
        release_digest=(yield from store.digest_of(paths, release)),
    )
    yield from do(Tell(event))
    return outcome
