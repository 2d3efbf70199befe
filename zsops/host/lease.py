"""The host's lease: who may change it, for how long, and the fencing token that proves it.

Tokens only grow. A request with a token that is not the newest lease's is refused, so an operator
that slept through its lease cannot undo what somebody else did since.
"""

from __future__ import annotations

import json

from zsops.errors import HostHeld, LeaseHeld, StaleToken
from zsops.frozen import frozen, replace
from zsops.host import audit, hold, upkeep
from zsops.host.codec import from_json, to_json
from zsops.host.effects import (
    BootId,
    Fsync,
    Now,
    ProcessAlive,
    ReadFile,
    Steps,
    Unlink,
    WallTime,
    do,
    parent,
    write_durably,
)
from zsops.host.layout import LEASE, LEASE_TERMS
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


@frozen
class Terms:
    """`lease-terms.json`: how the lease with this token is less than a whole one.

    `instances`: taken by a session that is pinned to them. `back_only`: taken although somebody
    had paused the host, so that it may go back.
    """

    token: int
    instances: tuple[str, ...] = ()
    back_only: bool = False


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


def terms(token: int) -> Steps[Terms]:
    """Those of the lease with this token."""
    raw = yield from do(ReadFile(LEASE_TERMS))
    found = Terms(token) if raw is None else from_json(Terms, json.loads(raw))
    return found if found.token == token else Terms(token)


def is_foreign(token: int, instances: tuple[str, ...]) -> Steps[bool]:
    """Whether it is of the newest lease, and that was not taken by a session pinned like this."""
    held = (yield from _load()).held
    if held is None or held.token != token:
        return False
    return (yield from terms(token)).instances != instances


def _agree(new: Terms) -> Steps[None]:
    if new != Terms(new.token):
        yield from write_durably(LEASE_TERMS, json.dumps(to_json(new)).encode())
    elif (yield from terms(new.token)) != new:  # of one that was never given
        yield from do(Unlink(LEASE_TERMS))
        yield from do(Fsync(parent(LEASE_TERMS)))


def take(request: TakeLease, instances: tuple[str, ...] = ()) -> Steps[Lease]:
    """Give the host to `request.who`; the same run gets the lease it already has.

    `instances`: those that the session is pinned to, if it is.
    """
    file = yield from _load()
    now = yield from do(Now())
    if file.held is not None and (yield from _alive(file.held)):
        held = file.held
        same = held.run == request.run
        if same and (yield from terms(held.token)).instances == instances:
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
    paused = yield from _refuse_paused(request)
    yield from _agree(Terms(file.counter + 1, instances, back_only=paused))
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


def _refuse_paused(request: TakeLease) -> Steps[bool]:
    """Whether the host is paused, to a request that may come all the same."""
    paused = yield from hold.read()
    if paused is not None and not request.despite_hold:
        raise _is_paused(paused)
    return paused is not None


def _is_paused(by: upkeep.Held) -> HostHeld:
    why = f" ({by.why})" if by.why else ""
    return HostHeld(
        f"`{by.who}` paused deployments to this host at {by.at}{why}",
        hint="`zsops resume` lets them go on",
    )


def refuse_back_only(token: int) -> Steps[None]:
    """`HostHeld` for what is new, by a lease that was given to go back on a paused host."""
    paused = yield from hold.read()
    if paused is not None and (yield from terms(token)).back_only:
        raise _is_paused(paused)


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
