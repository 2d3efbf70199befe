"""Heal: an instance that differs from its own journal is brought back to it.

Somebody moved `current`, reloaded the daemon by hand, or stopped it. The journal's `prev` is what
should be in service when nothing is in flight; no bytes are needed from the operator. A release
whose own bytes are damaged is not healed here: that takes a deployment.
"""

from __future__ import annotations

from zsops.errors import DaemonFailed, DeployInFlight, UnsafeHost
from zsops.host import audit, health, lease, recover, revert, store
from zsops.host.effects import DaemonStatus, Steps, do
from zsops.host.layout import InstancePaths, release_number
from zsops.host.messages import HealthPolicy
from zsops.host.upkeep import Heal, Healed

_RELOAD_TIMEOUT_S = 30.0
_HEALTH = HealthPolicy(successes=2, interval_s=0.1, timeout_s=10.0)


def heal(request: Heal) -> Steps[Healed]:
    """Link, daemon and digest as the journal says. Raises UnsafeHost, DaemonFailed."""
    paths = InstancePaths(request.instance)
    settled = yield from recover.settle(paths, request.token)
    yield from lease.authorise(request.token)
    if settled.state.phase.in_flight:
        raise DeployInFlight(
            f"a deployment of `{paths.name}` is not confirmed yet: nothing to heal before it ends"
        )
    release = settled.state.prev
    done = [] if settled.note is None else [settled.note]
    if release_number(release) == 0:
        return Healed(tuple(done), release)
    if not (yield from store.is_complete(paths, release)):
        raise UnsafeHost(
            f"{release} of `{paths.name}` is damaged on disk",
            hint="deploy it again: `zsops deploy`",
        )
    linked = yield from store.linked(paths, paths.current)
    if linked != release:
        yield from store.switch(paths, release, paths.prev_link)
        done.append(f"`current` led to {linked}, and leads to {release} again")
    done += yield from _daemon(paths, release)
    if done:
        yield from audit.record(
            "healed", instance=paths.name, release=release, detail="; ".join(done)
        )
    return Healed(tuple(done), release)


def _daemon(paths: InstancePaths, release: str) -> Steps[list[str]]:
    digest = yield from store.digest_of(paths, release)
    seen = yield from do(DaemonStatus(paths.name))
    # The same site with other secrets has the same digest, and is another release.
    if seen.running and (seen.release, seen.release_digest) == (release, digest):
        return []
    problem = yield from revert.load(paths, release, _RELOAD_TIMEOUT_S)
    if problem is None:
        problem = (yield from health.judge(paths, release, digest, _HEALTH)).problem
    if problem is not None:
        raise DaemonFailed(
            f"the daemon of `{paths.name}` does not serve {release}: {problem}",
            hint="its whole log: `zsops logs --unit daemon`",
        )
    if not seen.running:
        return [f"the daemon was down, and serves {release}"]
    return [f"the daemon served {seen.release or 'another release'}, and serves {release} again"]
