"""The host's lease: who may change it, for how long, and the fencing token that proves it.

Tokens only grow. A request with a token that is not the newest lease's is refused, so an operator
that slept through its lease cannot undo what somebody else did since.
"""

from __future__ import annotations

import json

from zsops.errors import HostHeld, LeaseHeld, StaleToken
from zsops.frozen import frozen, replace
from zsops.host import audit, hold
from zsops.host.codec import from_json, to_json
from zsops.host.effects import (
    BootId,
    Now,
    ProcessAlive,
    ReadFile,
    Steps,
    WallTime,
    do,
    write_durably,
)
from zsops.host.layout import LEASE
from zsops.host.messages import Lease, TakeLease

_TTL_S_MIN, _TTL_S_MAX = 1.0, 24 * 3600.0


@frozen
class Held:
    """A lease as stored; times are on `Clock.now` of `boot_id`."""

    token: int
    who: str
    why: str
    run: str
    taken_at: str
    taken: float
    renewed: float
    ttl_s: float
    boot_id: str
    pid: int | None
    pid_started: int | None


@frozen
class LeaseFile:
    """`counter` is the highest token ever given."""

    counter: int
    held: Held | None


def _load() -> Steps[LeaseFile]:
    raw = yield from do(ReadFile(LEASE))
    return LeaseFile(0, None) if raw is None else from_json(LeaseFile, json.loads(raw))


def _save(file: LeaseFile) -> Steps[None]:
    yield from write_durably(LEASE, json.dumps(to_json(file)).encode())


def _shown(held: Held, now: float) -> Lease:
    return Lease(
        token=held.token,
        who=held.who,
        why=held.why,
        taken_at=held.taken_at,
        age_s=max(0.0, now - held.taken),
        ttl_s=held.ttl_s,
        run=held.run,
        pid=held.pid,
        pid_started=held.pid_started,
    )


def _alive(held: Held) -> Steps[bool]:
    """False once the lease ran out, the host restarted, or its holder on this host died."""
    if held.boot_id != (yield from do(BootId())):
        return False
    if (yield from do(Now())) - held.renewed >= held.ttl_s:
        return False
    if held.pid is not None and held.pid_started is not None:
        return (yield from do(ProcessAlive(held.pid, held.pid_started)))
    return True


def holder() -> Steps[Lease | None]:
    """The live lease, if any."""
    file = yield from _load()
    if file.held is None or not (yield from _alive(file.held)):
        return None
    return _shown(file.held, (yield from do(Now())))


def take(request: TakeLease) -> Steps[Lease]:
    """Give the host to `request.who`; the same run gets the lease it already has."""
    file = yield from _load()
    now = yield from do(Now())
    if file.held is not None and (yield from _alive(file.held)):
        held = file.held
        if held.run == request.run:
            held = replace(held, renewed=now)
            yield from _save(replace(file, held=held))
            return _shown(held, now)
        left = held.ttl_s - (now - held.renewed)
        why = f" for `{held.why}`" if held.why else ""
        raise LeaseHeld(
            f"the host is held by `{held.who}`{why} since {now - held.taken:.0f} s "
            f"(lease {held.ttl_s:.0f} s, {left:.0f} s left)",
            hint=f"wait for it to finish; a dead holder's lease ends by itself in {left:.0f} s"
            + (f", or take it up: `zsops deploy --resume {held.run}`" if held.run else ""),
        )
    yield from _refuse_paused(request)
    held = Held(
        token=file.counter + 1,
        who=request.who,
        why=request.why,
        run=request.run,
        taken_at=(yield from do(WallTime())),
        taken=now,
        renewed=now,
        ttl_s=min(max(request.ttl_s, _TTL_S_MIN), _TTL_S_MAX),
        boot_id=(yield from do(BootId())),
        pid=request.pid,
        pid_started=request.pid_started,
    )
    yield from _save(LeaseFile(held.token, held))
    yield from audit.record("lease-taken", who=held.who, why=held.why, detail=f"token {held.token}")
    return _shown(held, now)


def _refuse_paused(request: TakeLease) -> Steps[None]:
    paused = yield from hold.read()
    if paused is not None and not request.despite_hold:
        why = f" ({paused.why})" if paused.why else ""
        raise HostHeld(
            f"`{paused.who}` paused deployments to this host at {paused.at}{why}",
            hint="`zsops resume` lets them go on",
        )


def release(token: int) -> Steps[None]:
    """End the lease with this token; nothing happens when it is not the current one."""
    file = yield from _load()
    if file.held is not None and file.held.token == token:
        yield from _save(replace(file, held=None))


def break_it(who: str, why: str) -> Steps[Lease | None]:
    """End anybody's lease, on the record."""
    file = yield from _load()
    if file.held is None or not (yield from _alive(file.held)):
        return None
    yield from _save(replace(file, held=None))
    detail = f"token {file.held.token} of {file.held.who}"
    yield from audit.record("lease-broken", who=who, why=why, detail=detail)
    return _shown(file.held, (yield from do(Now())))


def authorise(token: int) -> Steps[None]:
    """Refuse a token that is not the newest lease's; renew the lease of one that is.

    A lease that ran out still counts while nobody else took the host: its token is the newest.
    """
    file = yield from _load()
    held = file.held
    if held is None or held.token != token or held.boot_id != (yield from do(BootId())):
        raise StaleToken(
            f"the lease with token {token} is no longer valid (the newest is {file.counter})",
            hint="look at `zsops history`, then start again",
        )
    now = yield from do(Now())
    if now - held.renewed > held.ttl_s / 4:
        try:
            yield from _save(replace(file, held=replace(held, renewed=now)))
        except OSError:
            return  # a full disk must not stop a confirmation; the lease just ends sooner
