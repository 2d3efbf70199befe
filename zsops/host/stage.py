"""STAGE: bytes in, a complete and checked release out; the service is not touched."""

from __future__ import annotations

from zsops.errors import DeployInFlight, DigestMismatch, NoSuchRelease, Quarantined
from zsops.frozen import replace
from zsops.host import audit, compose, health, journal, layout, lease, material, store
from zsops.host.effects import (
    Fsync,
    ReadMembers,
    Steps,
    TellOffset,
    do,
)
from zsops.host.journal import State
from zsops.host.layout import InstancePaths
from zsops.host.messages import Material, Phase, ReleaseInfo, Stage, Staged
from zsops.host.receive import full, receive
from zsops.host.recover import settle


def stage(request: Stage) -> Steps[Staged]:
    """Receive what is missing, verify, link, check, journal STAGED. Repeating it is a no-op."""
    paths = InstancePaths(request.instance)
    layout.bare(request.site_digest)
    layout.bare(request.release_digest)
    state = yield from ready(paths, request.token)
    yield from lease.refuse_back_only(request.token)
    again = yield from _already(paths, state, request)
    if again is not None:
        yield from do(TellOffset(request.size, ()))
        return Staged(again, 0)
    if not request.retry_quarantined:
        source = request.material.source if request.material else ""
        yield from refuse_quarantined(paths, request.release_digest, source)
    # Before the upload: what cannot be opened should not cost a transfer.
    choice = yield from (
        chosen_material(paths, state, request.material)
        if request.only_site is None
        else material_in_service(paths, state.prev)
    )
    received = yield from receive(request)
    site_digest, _ = yield from do(ReadMembers(layout.blob(request.release_digest)))
    if site_digest != request.site_digest:
        raise DigestMismatch(
            f"the tar's member index has site digest {site_digest}, "
            f"{request.site_digest} was announced",
            hint="build it again",
        )
    tar = store.Bytes(request.release_digest, site_digest, request.size)
    sites = request.sites
    if request.only_site is not None:
        composed = yield from _beside_the_others(paths, state, tar, request)
        tar, sites = composed.tar, composed.sites
    origin = store.Origin(
        who=request.who,
        why=request.why,
        commit=request.commit,
        only_site=request.only_site,
        sites=sites,
    )
    state = replace(state, token=request.token)
    made = yield from stage_release(paths, state, tar, origin, choice)
    return Staged(made, received)


def _beside_the_others(
    paths: InstancePaths, state: State, tar: store.Bytes, request: Stage
) -> Steps[compose.Composed]:
    """One site of several, and the others as they are in service."""
    assert request.only_site is not None
    serving = yield from store.info(paths, state.prev)
    if serving is None:
        raise NoSuchRelease(f"there is no release `{state.prev}` in `{paths.name}`")
    made = yield from compose.with_received(serving, tar, request.only_site)
    if not request.retry_quarantined:
        yield from refuse_quarantined(paths, made.tar.release_digest, serving.material)
    return made


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


def material_in_service(paths: InstancePaths, serving: str) -> Steps[material.Choice]:
    """That of the release in service, whatever it carries besides."""
    source = (yield from store.origin(paths, serving)).material
    return material.Kept(serving, source) if source else material.Own()


def chosen_material(
    paths: InstancePaths, state: State, wanted: Material | None
) -> Steps[material.Choice]:
    """What a request's material means beside the release in service."""
    serving = (yield from store.origin(paths, state.prev)).material
    return (yield from material.chosen(wanted, state.prev, serving))


def stage_release(
    paths: InstancePaths,
    state: State,
    tar: store.Bytes,
    origin: store.Origin,
    choice: material.Choice,
) -> Steps[ReleaseInfo]:
    """Build the next release from a blob, make both links, journal STAGED."""
    try:
        names = (yield from health.settings(paths)).names
        made = yield from store.build(
            paths, state.serial + 1, tar, origin, choice, names, state.prev
        )
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
        detail=_described(origin, choice),
    )
    yield from journal.transition(paths, staged)
    return made


def _already(paths: InstancePaths, state: State, request: Stage) -> Steps[ReleaseInfo | None]:
    if state.phase is not Phase.STAGED or state.next is None or state.token != request.token:
        return None
    found = yield from store.info(paths, state.next)
    if found is None:
        return None
    if request.only_site is not None:
        # By the same token: the others are still those in service.
        alone = (yield from store.origin(paths, state.next)).only_site
        parts = {each.name: each.digest for each in found.sites}
        same = alone == request.only_site and parts.get(alone) == request.site_digest
        return found if same else None
    source = request.material.source if request.material else ""
    same = (found.release_digest, found.material) == (request.release_digest, source)
    return found if same else None


def _described(origin: store.Origin, choice: material.Choice) -> str:
    """A staged release in a few words, for its audit line."""
    if origin.only_site is not None and origin.source is not None:
        return f"rollback of site {origin.only_site} to that of {origin.source}"
    if origin.rollback_from is not None:
        secrets = isinstance(choice, material.Kept) and choice.release == origin.source
        return f"rollback to the site{' and secrets' if secrets else ''} of {origin.source}"
    if origin.source is not None:
        return f"the site of {origin.source} with other secrets"
    said = [origin.told, "with other secrets" if isinstance(choice, material.Opened) else ""]
    return ", ".join(each for each in said if each)


def refuse_quarantined(paths: InstancePaths, release_digest: str, source: str) -> Steps[None]:
    """`Quarantined` for bytes that failed here with this material."""
    for held in (yield from store.quarantine(paths)).releases:
        if store.is_quarantined(held, release_digest, source):
            raise Quarantined(
                f"these bytes failed here at {held.at}: {held.reason}",
                hint="change the site, or deploy with `--retry` when the cause was elsewhere",
            )
