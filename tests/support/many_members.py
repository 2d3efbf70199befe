"""A packed tar of very many members, written as a stream: no file of the tree ever exists.

The bytes are those that `zeroserve pack` would write. The index is encoded here in one pass, since
a million objects of `member_index.Member` would take longer than what is to be measured.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from zeroserve.pack import ustar
from zeroserve.pack.member_index import BLOCK_BYTES, HEADER, INDEX_PATH, MAGIC, RECORD

CONTENT_TYPE = b"text/plain; charset=utf-8"
BATCH = 4096


@dataclass(frozen=True)
class ManyMembers:
    """The tar, and what it holds. All other numbers are bytes."""

    tar: Path
    count: int
    name_bytes: int
    index_bytes: int
    site_digest: bytes


def name_of(number: int) -> str:
    """The path of a member: sorted by number, in folders of a thousand, 20 characters long."""
    return f"{number // 1000:05}/page{number:06}.txt"


def content_of(number: int) -> bytes:
    """What it says: 32 bytes that no other says."""
    return f"member {number:024}\n".encode()


def write(tar: Path, count: int) -> ManyMembers:
    """Write a tar of `count` members of one block each."""
    names = [name_of(number).encode() for number in range(count)]
    digests = [hashlib.sha256(content_of(number)).digest() for number in range(count)]
    strings = CONTENT_TYPE + b"".join(names)
    site = hashlib.sha256()
    for start in range(0, count, BATCH):
        pairs = zip(names[start : start + BATCH], digests[start : start + BATCH], strict=True)
        site.update(b"".join(name + b"\0" + digest for name, digest in pairs))
    size = HEADER.size + RECORD.size * count + len(strings)
    at = len(ustar.header_bytes(INDEX_PATH, size, 0)) + size + ustar.padding(size)
    with tar.open("wb", buffering=1 << 20) as file:
        file.write(ustar.header_bytes(INDEX_PATH, size, 0))
        head = HEADER.pack(MAGIC, count, len(strings), site.digest(), RECORD.size, 0, 0)
        file.write(head)
        path_at = len(CONTENT_TYPE)
        for number, (name, digest) in enumerate(zip(names, digests, strict=True)):
            offset = at + BLOCK_BYTES * (2 * number + 1)
            length = len(content_of(number))
            fixed = (path_at, 0, len(name), len(CONTENT_TYPE), 0, 0)
            file.write(RECORD.pack(offset, length, 0, digest, *fixed))
            path_at += len(name)
        file.write(strings + bytes(ustar.padding(size)))
        assert file.tell() == at
        for number, name in enumerate(names):
            file.write(_header(name, len(content_of(number))))
            file.write(content_of(number).ljust(BLOCK_BYTES, b"\0"))
        file.write(ustar.END_OF_ARCHIVE)
    return ManyMembers(tar, count, sum(map(len, names)), size, site.digest())


_NAME_ROOM = 100
_SUM = struct.Struct("8s")


def _header(name: bytes, size: int) -> bytes:
    """`ustar.header_bytes`, of which all but name and sum are made once."""
    block, base = _templates.get(size) or _template(size)
    made = bytearray(block)
    made[: len(name)] = name
    _SUM.pack_into(made, 148, b"%06o\0 " % (base + sum(name)))
    return bytes(made)


_templates: dict[int, tuple[bytes, int]] = {}


def _template(size: int) -> tuple[bytes, int]:
    block = bytearray(ustar.header_bytes("x", size, 0))
    base = int(block[148:154], 8) - ord("x")
    block[0] = 0
    return _templates.setdefault(size, (bytes(block), base))
