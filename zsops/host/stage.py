"""STAGE: bytes in, a complete and checked release out; the service is not touched."""

from __future__ import annotations

from dataclasses import replace

from zsops.errors import DeployInFlight, DigestMismatch, Quarantined
from zsops.host import audit, health, journal, layout, lease, secrets, store
from zsops.host.effects import (
    Fsync,
    ReadMembers,
    Steps,
    TellOffset,
    do,
)
from zsops.host.journal import State
from zsops.host.layout import InstancePaths
from zsops.host.messages import Phase, ReleaseInfo, Stage, Staged
from zsops.host.receive import full, receive
from zsops.host.recover import settle


def stage(request: Stage) -> Steps[Staged]:
    """Receive what is missing, verify, link, check, journal STAGED. Repeating it is a no-op."""
    paths = InstancePaths(request.instance)
    layout.bare(request.site_digest)
    layout.bare(request.release_digest)
    state = yield from ready(paths, request.token)
    again = yield from _already(paths, state, request)
    if again is not None:
        yield from do(TellOffset(request.size, ()))
        return Staged(again, 0)
    yield from _refuse_quarantined(paths, request)
    received = yield from receive(request)
    site_digest, _ = yield from do(ReadMembers(layout.blob(request.release_digest)))
    if site_digest != request.site_digest:
        raise DigestMismatch(
            f"the tar's member index has site digest {site_digest}, "
            f"{request.site_digest} was announced",
            hint="build it again",
        )
    tar = store.Bytes(request.release_digest, site_digest, request.size)
    origin = store.Origin(who=request.who, why=request.why, commit=request.commit)
    made = yield from stage_release(paths, replace(state, token=request.token), tar, origin)
    return Staged(made, received)


def ready(paths: InstancePaths, token: int) -> Steps[State]:
    """The settled state, for a token that may stage; `DeployInFlight` while one awaits an end."""
    yield from journal.read(paths)
    yield from lease.authorise(token)
    state = (yield from settle(paths, token)).state
    if state.phase.in_flight:
        raise DeployInFlight(
            f"`{state.next}` is in service on `{paths.name}` and not confirmed yet",
            hint="confirm or revert it first",
        )
    return state


def stage_release(
    paths: InstancePaths, state: State, tar: store.Bytes, origin: store.Origin
) -> Steps[ReleaseInfo]:
    """Build the next release from a blob, make both links, journal STAGED."""
    try:
        yield from secrets.refresh(paths, (yield from health.settings(paths)).names)
        made = yield from store.build(paths, state.serial + 1, tar, origin)
        yield from store.make_link(paths, made.release, paths.next_link)
        yield from store.make_link(paths, state.prev, paths.prev_link)
        yield from do(Fsync(paths.home))
        yield from audit.make_room()
    except OSError as error:
        raise full(error) from error
    staged = replace(
        state,
        phase=Phase.STAGED,
        next=made.release,
        serial=state.serial + 1,
        deadline=None,
        who=origin.who,
        why=origin.why,
        event="staged",
        detail="" if origin.source is None else f"rollback to the site of {origin.source}",
    )
    yield from journal.transition(paths, staged)
    return made


def _already(paths: InstancePaths, state: State, request: Stage) -> Steps[ReleaseInfo | None]:
    if state.phase is not Phase.STAGED or state.next is None or state.token != request.token:
        return None
    found = yield from store.manifest(paths, state.next)
    if found is None or found.release_digest != request.release_digest:
        return None
    return store.shown(found, (yield from store.origin(paths, state.next)))


def _refuse_quarantined(paths: InstancePaths, request: Stage) -> Steps[None]:
    if request.retry_quarantined:
        return
    for held in (yield from store.quarantine(paths)).releases:
        if held.release_digest == request.release_digest:
            raise Quarantined(
                f"these bytes failed here at {held.at}: {held.reason}",
                hint="change the site, or deploy with `--retry` when the cause was elsewhere",
            )
