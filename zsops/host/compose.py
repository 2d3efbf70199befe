"""One of several sites becomes another: a new tar from the one in service and the other's, both
here. The other is of an older release, or was just received.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zsops.errors import NoSuchRelease, ReleaseRefused
from zsops.frozen import frozen, replace
from zsops.host import layout, store
from zsops.host.effects import (
    Effect,
    FileSize,
    Fsync,
    HashFile,
    MakeDir,
    ReadRange,
    Rename,
    Steps,
    Unlink,
    WriteAt,
    WriteFile,
    do,
)
from zsops.host.extents import EXTENT_BYTES_MAX
from zsops.host.install import keep_part
from zsops.host.messages import ReleaseInfo, SitePart
from zsops.host.receive import full, refuse_full
from zsops.host.world import World

if TYPE_CHECKING:
    from zeroserve.pack.compose import Composition
    from zeroserve.pack.member_index import MemberIndex


@frozen
class ReadIndex(Effect["MemberIndex"]):
    """The member index of a kept tar."""

    tar: str

    def perform(self, world: World) -> MemberIndex:
        return world.tools.index(self.tar)


@frozen
class Composed:
    """The new tar among the blobs, and the sites in it."""

    tar: store.Bytes
    sites: tuple[SitePart, ...]


def with_site_of(serving: ReleaseInfo, source: ReleaseInfo, site: str) -> Steps[Composed]:
    """The sites of `serving`, but `site` as `source` has it. Raises NoSuchRelease."""
    old = next((each for each in source.sites if each.name == site), None)
    if old is None or all(each.name != site for each in serving.sites):
        missing = serving if old is not None else source
        raise NoSuchRelease(f"`{missing.release}` has no site `{site}`")
    if len(serving.sites) == 1:
        if old.root:
            raise ReleaseRefused(
                f"`{source.release}` holds several sites, the one in service stands alone",
                hint="deploy it instead",
            )
        tar = store.Bytes(source.release_digest, source.site_digest, source.size)
        return Composed(tar, source.sites)
    return (yield from _with_part(serving, old, source.release_digest))


def with_received(serving: ReleaseInfo, received: store.Bytes, site: str) -> Steps[Composed]:
    """The sites of `serving`, but `site` as it was received alone. Raises NoSuchRelease.

    What was received goes, unless it is some release's own: its bytes are in the new tar.
    """
    if len(serving.sites) < 2 or all(each.name != site for each in serving.sites):
        raise NoSuchRelease(
            f"`{serving.release}` has no site `{site}` beside others", hint="deploy them all"
        )
    part = SitePart(site, "", received.site_digest)
    made = yield from _with_part(serving, part, received.release_digest)
    if layout.bare(received.release_digest) not in (yield from store.used_blobs()):
        yield from do(Unlink(layout.blob(received.release_digest)))
    return made


def _with_part(serving: ReleaseInfo, part: SitePart, tar: str) -> Steps[Composed]:
    """`part` lies below its root in the blob `tar`."""
    made = yield from _composition(serving, part, layout.blob(tar))
    written = yield from _write(made)
    sites = tuple(
        replace(part, root=each.root) if each.name == part.name else each for each in serving.sites
    )
    return Composed(written, sites)


def _composition(serving: ReleaseInfo, part: SitePart, then: str) -> Steps[Composition]:
    from zeroserve.errors import ZeroserveError
    from zeroserve.pack.compose import Part, compose
    from zeroserve.pack.hosts import HOSTS_PATH

    now = layout.blob(serving.release_digest)
    members = (yield from do(ReadIndex(now))).members
    before = (yield from do(ReadIndex(then))).members
    parts = {
        each.name: Part(then, before, part.root)
        if each.name == part.name
        else Part(now, members, each.root)
        for each in serving.sites
    }
    place = next(each for each in members if each.path == HOSTS_PATH)
    roots = json.loads((yield from do(ReadRange(now, place.offset, place.size))))
    names = {each.root.strip("/"): each.name for each in serving.sites}
    try:
        return compose(parts, {host: names[root.strip("/")] for host, root in roots.items()})
    except ZeroserveError as error:
        raise ReleaseRefused(error.message, hint=error.hint) from error


def _write(made: Composition) -> Steps[store.Bytes]:
    part = layout.part(made.site_digest)  # until its own digest is known
    yield from do(Unlink(part))
    yield from refuse_full(part, made.size)
    try:
        yield from do(MakeDir(layout.INCOMING))
        yield from do(WriteFile(part, b""))
        at, pending = 0, b""
        for piece in made.pieces:
            if piece.source is None:
                pending += piece.data
                continue
            done = 0
            while done < piece.size:
                length = min(EXTENT_BYTES_MAX, piece.size - done)
                pending += yield from do(ReadRange(piece.source, piece.offset + done, length))
                done += length
                if len(pending) >= EXTENT_BYTES_MAX:
                    yield from do(WriteAt(part, at, pending))
                    at, pending = at + len(pending), b""
        yield from do(WriteAt(part, at, pending))
        yield from do(Fsync(part))
        digest = f"sha256:{(yield from do(HashFile(part)))}"
        if (yield from do(FileSize(layout.blob(digest)))) is None:
            yield from do(Rename(part, layout.part(digest)))
            yield from keep_part(digest)
        else:
            yield from do(Unlink(part))
    except OSError as error:
        yield from do(Unlink(part))
        raise full(error) from error
    return store.Bytes(digest, made.site_digest, made.size)
