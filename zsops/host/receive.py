"""RECEIVE: a tar becomes a blob, put together from kept releases and from what is sent.

The part grows from its beginning, whatever the bytes come from: after a lost link its length says
where to go on.
"""

from __future__ import annotations

import errno

from zsops.errors import BadRequest, DigestMismatch, DiskFull
from zsops.host import extents, layout, store
from zsops.host.effects import (
    FileSize,
    FreeBytes,
    Fsync,
    HashFile,
    ListDir,
    MakeDir,
    NextChunk,
    ReadExtents,
    ReadRange,
    Steps,
    TellOffset,
    Unlink,
    WriteAt,
    WriteFile,
    do,
)
from zsops.host.install import keep_part
from zsops.host.layout import InstancePaths
from zsops.host.messages import Stage

_SPARE_BYTES = 256 << 10  # directories, manifests, the audit log's room
#: Each has to be read whole to know its pieces: 50 MB take a tenth of a second.
_SOURCES_MAX = 4


def receive(request: Stage) -> Steps[int]:
    """Have the blob: from an earlier release, an earlier part, or the sender; bytes sent."""
    if request.size < 1:
        raise BadRequest("what is sent has a size")
    digest, blob = request.release_digest, layout.blob(request.release_digest)
    if (yield from do(HashFile(blob))) == layout.bare(digest):
        yield from do(TellOffset(request.size, ()))
        return 0
    yield from do(Unlink(blob))  # absent, or damaged: then nothing may link to it any more
    part = layout.part(digest)
    offset = yield from do(FileSize(part))
    if offset is not None and offset > request.size:
        yield from do(Unlink(part))
        offset = None
    yield from refuse_full(part, request.size - (offset or 0))
    wanted = extents.decode(request.extents, request.size)
    kept = (yield from _kept(request.instance)) if wanted else {}
    runs = extents.runs(wanted, kept, offset or 0, request.size)
    try:
        if offset is None:
            yield from do(MakeDir(layout.INCOMING))
            yield from do(WriteFile(part, b""))
        received = yield from _append(part, offset or 0, runs)
        yield from do(Fsync(part))
    except OSError as error:
        yield from do(Unlink(part))
        raise full(error) from error
    if (yield from do(HashFile(part))) != layout.bare(digest):
        yield from do(Unlink(part))
        resumed = f" (resumed at {offset})" if offset else ""
        copied = " (put together from kept releases)" if kept else ""
        raise DigestMismatch(
            f"the {request.size} bytes received{resumed}{copied} do not hash to {digest}",
            hint="send them again",
        )
    yield from keep_part(digest)
    return received


def full(error: OSError) -> DiskFull | OSError:
    """A full disk in words; any other fault as it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("the host's disk is full; nothing was kept", hint="free some space")
    return error


def refuse_full(part: str, needed: int) -> Steps[None]:
    """`DiskFull` when `needed` bytes and some spare are not free; then the part is given up."""
    free = yield from do(FreeBytes())
    if free < needed + needed // 10 + _SPARE_BYTES:
        yield from do(Unlink(part))
        raise DiskFull(
            f"the release needs {needed} bytes, {free} are free on the host",
            hint="free some space, or `zsops prune`",
        )


def _kept(instance: str) -> Steps[dict[bytes, tuple[str, int, int]]]:
    """Pieces of kept releases: what is in service first, of every instance; then older ones."""
    others = [each for each in (yield from do(ListDir(layout.INSTANCES))) if each != instance]
    digests: list[str] = []
    older: list[str] = []
    for name in (instance, *others):
        paths = InstancePaths(name)
        current = yield from store.linked(paths, paths.current)
        for release in reversed((yield from store.names(paths))):
            found = yield from store.manifest(paths, release)
            if found is not None:
                (digests if release == current else older).append(found.release_digest)
    kept: dict[bytes, tuple[str, int, int]] = {}
    for digest in list(dict.fromkeys([*digests, *older]))[:_SOURCES_MAX]:
        blob = layout.blob(digest)
        for each in (yield from do(ReadExtents(blob))):
            kept.setdefault(each.digest, (blob, each.offset, each.size))
    return kept


def _append(part: str, offset: int, runs: tuple[extents.Run, ...]) -> Steps[int]:
    missing = tuple((each.offset, each.size) for each in runs if each.source is None)
    yield from do(TellOffset(offset, missing))
    received, pending = 0, b""
    for run in runs:
        at, end = run.offset, run.offset + run.size
        while at < end:
            if run.source is not None:
                length = min(extents.EXTENT_BYTES_MAX, end - at)
                piece = yield from do(
                    ReadRange(run.source, run.source_offset + at - run.offset, length)
                )
            else:
                pending = pending or (yield from do(NextChunk()))
                piece, pending = pending[: end - at], pending[end - at :]
                received += len(piece)
            if not piece:
                return received  # cut short; the hash will say so
            yield from do(WriteAt(part, at, piece))
            at += len(piece)
    if pending or (yield from do(NextChunk())):
        yield from do(Unlink(part))
        raise DigestMismatch("more bytes were sent than were announced")
    return received
