"""Prune: drop old releases, the blobs only they used, and old versions of the daemon.

Never what may still be needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from zsops.errors import DeployInFlight
from zsops.host import audit, layout, lease, old_programs, store
from zsops.host.effects import FileSize, Fsync, ListDir, Rename, Steps, Unlink, do, remove_tree
from zsops.host.layout import InstancePaths
from zsops.host.messages import Prune, Pruned
from zsops.host.recover import settle


def prune(request: Prune) -> Steps[Pruned]:
    """Keep the newest `keep` releases, and always current, next, last good and pinned ones."""
    paths = InstancePaths(request.instance)
    yield from lease.authorise(request.token)
    state = (yield from settle(paths, request.token)).state
    if state.phase.in_flight:
        raise DeployInFlight(f"a deployment of `{paths.name}` is in flight; nothing was pruned")
    names = yield from store.names(paths)
    linked = yield from store.linked(paths, paths.current)
    kept = {state.prev, state.next, state.last_good, linked, *(yield from store.pins(paths))}
    kept.update(names[max(0, len(names) - request.keep) :])
    doomed = tuple(name for name in names if name not in kept)
    if request.dry_run:
        return Pruned(doomed, 0, (yield from old_programs.prune(state.who, dry_run=True)))
    freed = 0
    if doomed:
        freed = yield from _drop(paths, doomed)
        detail = f"{len(doomed)} releases, {freed} bytes: {', '.join(doomed)}"
        yield from audit.record("pruned", instance=paths.name, who=state.who, detail=detail)
    return Pruned(doomed, freed, (yield from old_programs.prune(state.who)))


def _drop(paths: InstancePaths, doomed: Sequence[str]) -> Steps[int]:
    for name in doomed:
        # One rename takes it out of the list: a crash leaves nothing half there under its name.
        aside = f"{paths.releases}/.old-{name}"
        yield from remove_tree(aside)
        yield from do(Rename(paths.release(name), aside))
        yield from do(Fsync(paths.releases))
        yield from remove_tree(aside)
    return (yield from _drop_blobs())


def _drop_blobs() -> Steps[int]:
    """Unlink the blobs no release of any instance links to; their size."""
    used = yield from store.used_blobs()
    freed = 0
    for shelf in (yield from do(ListDir(layout.BLOBS))):
        for digits in (yield from do(ListDir(f"{layout.BLOBS}/{shelf}"))):
            if digits not in used:
                path = f"{layout.BLOBS}/{shelf}/{digits}"
                freed += (yield from do(FileSize(path))) or 0
                yield from do(Unlink(path))
    return freed
