"""Extents: a tar cut at its members' ends, each piece known by its hash. Pure but for one reader.

Two tars of a site share most pieces (a member with its header); what the host has in a kept
release it copies, and only the rest crosses the wire. Hashes are cut to 16 bytes: they only find
candidates, since the whole tar is checked by its full SHA-256 afterwards.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from zsops.errors import BadRequest
from zsops.frozen import frozen

_RECORD = struct.Struct("<I16s")
_BLOCK_BYTES = 512
#: A larger piece is cut, so that a copy fits in memory and a large file may be shared in part.
EXTENT_BYTES_MAX = 1 << 20


@frozen
class Extent:
    """A piece of a tar."""

    offset: int
    size: int
    digest: bytes


@frozen
class Run:
    """A stretch of the new tar: to be copied from `source`, or (None) to be sent."""

    offset: int
    size: int
    source: str | None = None
    source_offset: int = 0


def cuts(members: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """(offset, size) of the pieces of a tar with `members` at (offset, size) of their data."""
    start = 0
    for index, (offset, length) in enumerate(sorted(members)):
        if index == 0 and offset > _BLOCK_BYTES:
            # The member index before it changes with every change of the site.
            yield from _pieces(start, offset - _BLOCK_BYTES)
            start = offset - _BLOCK_BYTES
        end = offset + -(-length // _BLOCK_BYTES) * _BLOCK_BYTES
        yield from _pieces(start, min(end, size))
        start = max(start, min(end, size))
    yield from _pieces(start, size)


def read_extents(
    tar: BinaryIO, members: Iterable[tuple[int, int]], size: int
) -> tuple[Extent, ...]:
    """The extents of an open tar."""
    found = []
    tar.seek(0)
    for offset, length in cuts(members, size):  # in order and without gaps
        digest = hashlib.sha256(tar.read(length)).digest()[:16]
        found.append(Extent(offset, length, digest))
    return tuple(found)


def encode(extents: Sequence[Extent]) -> str:
    """For a message: sizes and digests; the offsets follow from the sizes."""
    packed = b"".join(_RECORD.pack(each.size, each.digest) for each in extents)
    return base64.b64encode(packed).decode()


def decode(text: str, size: int) -> tuple[Extent, ...]:
    """Extents of a tar of `size` bytes. Raises BadRequest when they do not cover it."""
    try:
        raw = base64.b64decode(text, validate=True)
        records = list(_RECORD.iter_unpack(raw))
    except (binascii.Error, struct.error) as error:
        raise BadRequest(f"the extents cannot be read: {error}") from error
    found, offset = [], 0
    for length, digest in records:
        found.append(Extent(offset, length, digest))
        offset += length
    if found and offset != size:
        raise BadRequest(f"the extents cover {offset} bytes of {size}")
    return tuple(found)


def runs(
    wanted: Sequence[Extent], kept: Mapping[bytes, tuple[str, int, int]], start: int, size: int
) -> tuple[Run, ...]:
    """How the tar from `start` on comes together; neighbours of one kind are one run.

    `kept`: digest to (source, offset there, size).
    """
    found: list[Run] = []
    for each in wanted or (Extent(0, size, b""),):
        skip = max(0, start - each.offset)
        if skip >= each.size:
            continue
        source, at, length = kept.get(each.digest, (None, 0, each.size))
        if length != each.size:
            source, at = None, 0
        fresh = Run(each.offset + skip, each.size - skip, source, at + skip if source else 0)
        if found and _follows(found[-1], fresh):
            last = found.pop()
            fresh = Run(last.offset, last.size + fresh.size, last.source, last.source_offset)
        found.append(fresh)
    return tuple(found)


def _follows(last: Run, fresh: Run) -> bool:
    if last.source != fresh.source:
        return False
    return last.source is None or last.source_offset + last.size == fresh.source_offset


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        length = min(EXTENT_BYTES_MAX, end - start)
        yield start, length
        start += length
