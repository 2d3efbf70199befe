"""An operator for tests: the calls of one deployment, in order, on any transport."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from itertools import count

from support.sites import Site
from zsops.host import messages as m
from zsops.transport.base import HostSession, Transport

SETTINGS = m.InstanceSettings(("localhost",), ("127.0.0.1:0",))
_runs = count(1)


@dataclass
class Deployed:
    """What a deployment came to."""

    release: str
    outcome: m.Outcome
    events: list[m.StepEvent] = field(default_factory=list)
    confirmed: m.Confirmed | None = None


def lease(session: HostSession, who: str = "ana", **more: float) -> m.Lease:
    """A lease for a run of its own."""
    return session.take_lease(
        m.TakeLease(who, "a test", more.get("ttl_s", 60.0), f"run-{next(_runs)}")
    )


def stage(session: HostSession, token: int, what: Site) -> m.Staged:
    """Send and stage a site."""
    return session.stage(what.stage(token), io.BytesIO(what.tar))


def apply(
    session: HostSession, token: int, release: str, health: m.HealthPolicy, window_s: float = 60.0
) -> list[m.StepEvent]:
    """Apply a staged release; its events."""
    return list(session.apply(m.Apply(token, "web", release, health, confirm_window_s=window_s)))


def deploy(transport: Transport, what: Site, *, who: str = "ana", confirm: bool = True) -> Deployed:
    """Lease, stage, apply, confirm over a fresh session, release."""
    with transport.connect() as session:
        return deploy_over(transport, session, what, who=who, confirm=confirm)


def deploy_over(
    transport: Transport,
    session: HostSession,
    what: Site,
    *,
    who: str = "ana",
    confirm: bool = True,
) -> Deployed:
    """As `deploy`, over a session that is open already."""
    token = lease(session, who).token
    release = stage(session, token, what).release.release
    return finish(transport, session, token, release, what.health(), confirm=confirm)


def rollback(transport: Transport, to: str | None = None) -> Deployed:
    """As `deploy`, for an older site."""
    with transport.connect() as session:
        token = lease(session).token
        staged = session.prepare_rollback(m.PrepareRollback(token, "web", to))
        health = m.HealthPolicy(successes=1, interval_s=0.01, timeout_s=2.0)
        return finish(transport, session, token, staged.release.release, health)


def finish(
    transport: Transport,
    session: HostSession,
    token: int,
    release: str,
    health: m.HealthPolicy,
    *,
    confirm: bool = True,
) -> Deployed:
    """Apply, and when it is healthy confirm it; the lease ends."""
    events = apply(session, token, release, health)
    outcome = events[-1].outcome
    assert outcome is not None
    done = Deployed(release, outcome, events)
    if outcome is m.Outcome.HEALTHY and confirm:
        with transport.connect() as fresh:
            done.confirmed = fresh.confirm(m.Confirm(token, "web", release))
    if confirm:
        session.release_lease(token)
    return done
