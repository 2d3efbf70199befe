"""Releases made of what is here. A rollback goes forward: a new number, an older site, the secrets
in service. A rotation is its counterpart: the site in service, other secrets.

So a rollback never revives an expired certificate, and both pass the same steps as a deployment.
"""

from __future__ import annotations

from zsops.errors import BadRequest, NoSuchRelease
from zsops.frozen import replace
from zsops.host import audit, compose, layout, lineage, material, store
from zsops.host.effects import HashFile, Steps, do
from zsops.host.layout import InstancePaths
from zsops.host.messages import (
    Phase,
    PrepareRollback,
    PrepareRotation,
    ReleaseInfo,
    RollbackStaged,
    Staged,
)
from zsops.host.stage import (
    chosen_material,
    material_in_service,
    ready,
    refuse_quarantined,
    stage_release,
)


def prepare(request: PrepareRollback) -> Steps[RollbackStaged]:
    """Choose the release to go back to and stage its site anew."""
    paths = InstancePaths(request.instance)
    if request.steps < 1:
        raise BadRequest("a rollback goes at least one step back")
    state = yield from ready(paths, request.token)
    source = yield from _choose(paths, state.prev, request)
    sites = source.sites
    if (yield from do(HashFile(layout.blob(source.release_digest)))) is None:
        # Prune keeps the blobs of kept releases, so only damage leads here.
        raise NoSuchRelease(f"the bytes of `{source.release}` are no longer on this host")
    tar = store.Bytes(source.release_digest, source.site_digest, source.size)
    if request.site is not None:
        serving = yield from _named(paths, state.prev)
        composed = yield from compose.with_site_of(serving, source, request.site)
        tar, sites = composed.tar, composed.sites
    origin = store.Origin(
        who=request.who,
        why=request.why or f"rollback to {source.release}",
        commit=source.commit,
        source=source.release,
        # Only what was left as a whole is not gone back to again.
        rollback_from=state.prev if request.site is None else None,
        only_site=request.site,
        sites=sites,
    )
    choice = yield from _secrets(paths, state.prev, source, request)
    state = replace(state, token=request.token)
    made = yield from stage_release(paths, state, tar, origin, choice)
    return RollbackStaged(made, source)


def _secrets(
    paths: InstancePaths, serving: str, source: ReleaseInfo, request: PrepareRollback
) -> Steps[material.Choice]:
    """Those in service: an older release's may have expired, or have been withdrawn."""
    if request.with_secrets:
        return material.Kept(source.release, source.material)
    return (yield from material_in_service(paths, serving))


def prepare_rotation(request: PrepareRotation) -> Steps[Staged]:
    """Stage the site in service with other material. Repeating it is a no-op."""
    paths = InstancePaths(request.instance)
    state = yield from ready(paths, request.token)
    if state.phase is Phase.STAGED and state.next is not None and state.token == request.token:
        again = yield from store.info(paths, state.next)
        if again is not None and again.material == request.material.source:
            return Staged(again, 0)
    serving = yield from _named(paths, state.prev)
    if not request.retry_quarantined:
        yield from refuse_quarantined(paths, serving.release_digest, request.material.source)
    choice = yield from chosen_material(paths, state, request.material)
    tar = store.Bytes(serving.release_digest, serving.site_digest, serving.size)
    origin = store.Origin(
        who=request.who,
        why=request.why,
        commit=serving.commit,
        source=serving.release,
        sites=serving.sites,
    )
    state = replace(state, token=request.token)
    return Staged((yield from stage_release(paths, state, tar, origin, choice)), 0)


def releases(paths: InstancePaths) -> Steps[tuple[ReleaseInfo, ...]]:
    """The kept releases, oldest first, with what the history says of each."""
    known = yield from audit.entries(paths.name, event="committed")
    confirmed = {each.release for each in known if each.release is not None}
    pinned = yield from store.pins(paths)
    infos: list[ReleaseInfo] = []
    made: dict[str, lineage.Made] = {}
    for name in (yield from store.names(paths)):
        found, origin = (
            (yield from store.manifest(paths, name)),
            (yield from store.origin(paths, name)),
        )
        source = origin.source if origin.only_site is None else None
        made[name] = lineage.Made(source, origin.rollback_from, name in confirmed)
        if found is not None:
            infos.append(store.shown(found, origin))
    left = lineage.left_behind(made)
    return tuple(
        replace(
            each,
            confirmed=each.release in confirmed,
            pinned=each.release in pinned,
            rolled_back=each.release in left,
            place=lineage.place(made, each.release),
        )
        for each in infos
    )


def _choose(paths: InstancePaths, serving: str, request: PrepareRollback) -> Steps[ReleaseInfo]:
    if request.to is not None:
        return (yield from _named(paths, request.to))
    kept = yield from releases(paths)
    found = lineage.earlier(kept, next((each for each in kept if each.release == serving), None))
    if len(found) >= request.steps:
        return found[request.steps - 1]
    raise NoSuchRelease(
        f"`{paths.name}` has {len(found)} earlier confirmed releases with another site to go back "
        f"to, {request.steps} are asked for",
        hint="`zsops history` lists what it had; `--to RELEASE` names one",
    )


def _named(paths: InstancePaths, release: str) -> Steps[ReleaseInfo]:
    found = yield from store.info(paths, release)
    if found is None:
        kept = ", ".join((yield from store.names(paths)))
        raise NoSuchRelease(
            f"there is no release `{release}` in `{paths.name}`", hint=f"it has {kept}"
        )
    return found
