"""Member index: `.zeroserve/members.bin`, always the first member of a packed archive.

Layout, little endian. Header of 64 bytes: magic `ZSMEMBR1`, u32 count, u32 length of the strings,
32 bytes site digest, u32 record size (72), u32 flags (0), u64 0. Then `count` records of 72 bytes,
sorted by path bytes: u64 offset of the data from the start of the archive, u64 size, i64 mtime, 32
bytes SHA-256, u32 path offset and u32 type offset into the strings, u16 path length, u8 type
length, u8 encodings, u8 flags, 3 zero bytes. Then the strings, UTF-8.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zeroserve.errors import SiteRefused

INDEX_PATH = ".zeroserve/members.bin"
MAGIC = b"ZSMEMBR1"
HEADER = struct.Struct("<8sII32sIIQ")
RECORD = struct.Struct("<QQq32sIIHBBB3x")
BLOCK_BYTES = 512
INDEX_BYTES_MAX = 1 << 30  # 10 million members with long names; more is a damaged size field

ENCODING_BR = 1
ENCODING_ZSTD = 2
ENCODING_GZIP = 4
FLAG_PLACEHOLDER = 1

assert HEADER.size == 64
assert RECORD.size == 72


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a site. `offset` is that of its data in the archive.

    `size` is in bytes, `mtime` in seconds since 1970, where 0 means none.
    """

    path: str
    offset: int
    size: int
    mtime: int
    sha256: bytes
    content_type: str
    encodings: int
    has_placeholder: bool


@dataclass(frozen=True, slots=True)
class MemberIndex:
    """What an archive says it holds. `members` are sorted by the bytes of their paths."""

    site_digest: str
    members: tuple[Member, ...]


def text_digest(raw: bytes) -> str:
    """The text form of a SHA-256: `sha256:` and 64 hex digits."""
    return "sha256:" + raw.hex()


def site_digest_of(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """The 32 raw bytes of the site digest over (path, SHA-256) pairs, in whatever order."""
    digest = hashlib.sha256()
    for path, sha256 in sorted((path.encode(), sha256) for path, sha256 in pairs):
        digest.update(path + b"\0" + sha256)
    return digest.digest()


def index_size(paths: Iterable[str], content_types: Iterable[str]) -> int:
    """The bytes an index over these names takes, known before any file is read.

    `content_types` may repeat.
    """
    paths = list(paths)
    strings = sum(len(path.encode()) for path in paths)
    strings += sum(len(text.encode()) for text in set(content_types))
    return HEADER.size + RECORD.size * len(paths) + strings


def encode_index(members: Iterable[Member]) -> bytes:
    """The bytes of the index member. Raises `ValueError` for what the format has no room for."""
    ordered = sorted(members, key=lambda member: member.path.encode())
    strings = bytearray()
    type_offsets: dict[str, int] = {}
    for text in sorted({member.content_type for member in ordered}):
        type_offsets[text] = len(strings)
        strings += text.encode()
    records = bytearray()
    for member in ordered:
        path, content_type = member.path.encode(), member.content_type.encode()
        try:
            records += RECORD.pack(
                member.offset,
                member.size,
                member.mtime,
                member.sha256,
                len(strings),
                type_offsets[member.content_type],
                len(path),
                len(content_type),
                member.encodings,
                FLAG_PLACEHOLDER if member.has_placeholder else 0,
            )
        except struct.error as error:
            raise ValueError(f"no room in the index for {member!r}: {error}") from error
        strings += path
    digest = site_digest_of((member.path, member.sha256) for member in ordered)
    header = HEADER.pack(MAGIC, len(ordered), len(strings), digest, RECORD.size, 0, 0)
    return header + bytes(records) + bytes(strings)


def decode_index(data: bytes, name: str) -> MemberIndex:
    """Parse the bytes of an index member. `name` is the archive's, for the error.

    Raises `SiteRefused` (`index-bad`, `site-digest`) when the bytes contradict themselves; what
    the archive's headers say is not looked at here.
    """
    count, strings_len, digest = _decode_header(data, name)
    strings_at = HEADER.size + RECORD.size * count
    if len(data) != strings_at + strings_len:
        raise _bad(name, f"{len(data)} bytes where its header promises {strings_at + strings_len}")
    strings = data[strings_at:]
    members = []
    previous = b""
    for number in range(count):
        member, path = _decode_record(data, HEADER.size + RECORD.size * number, strings, name)
        if path <= previous:
            raise _bad(name, f"record {number} is not sorted after the one before it")
        previous = path
        members.append(member)
    if site_digest_of((member.path, member.sha256) for member in members) != digest:
        raise SiteRefused(
            "site-digest",
            f"`{name}`: the site digest in `{INDEX_PATH}` is not that of the members it lists",
            hint="pack the site again",
        )
    return MemberIndex(text_digest(digest), tuple(members))


def _decode_header(data: bytes, name: str) -> tuple[int, int, bytes]:
    if len(data) < HEADER.size:
        raise _bad(name, f"{len(data)} bytes, a header alone has {HEADER.size}")
    magic, count, strings_len, digest, record_size, flags, zero = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise _bad(name, "it does not begin with `ZSMEMBR1`")
    if record_size != RECORD.size or flags != 0 or zero != 0:
        raise _bad(name, "its header has fields of a version that is not known here")
    return count, strings_len, digest


def _decode_record(data: bytes, at: int, strings: bytes, name: str) -> tuple[Member, bytes]:
    (offset, size, mtime, sha256, path_at, type_at, path_len, type_len, encodings, flags) = (
        RECORD.unpack_from(data, at)
    )
    if path_at + path_len > len(strings) or type_at + type_len > len(strings):
        raise _bad(name, "a name lies outside its strings")
    path = strings[path_at : path_at + path_len]
    if not path or encodings & ~7 or flags & ~1 or data[at + 69 : at + 72] != b"\0\0\0":
        raise _bad(name, "a record has a field that is not known here")
    try:
        member = Member(
            path=path.decode(),
            offset=offset,
            size=size,
            mtime=mtime,
            sha256=sha256,
            content_type=strings[type_at : type_at + type_len].decode(),
            encodings=encodings,
            has_placeholder=bool(flags & FLAG_PLACEHOLDER),
        )
    except UnicodeDecodeError:
        raise _bad(name, "a name is not UTF-8") from None
    return member, path


def _bad(name: str, what: str) -> SiteRefused:
    return SiteRefused(
        "index-bad",
        f"`{name}`: the member index `{INDEX_PATH}` is damaged: {what}",
        hint="pack the site again",
    )


def read_index(tar: Path) -> MemberIndex:
    """The member index of a packed archive.

    Raises `SiteRefused`: the archive is missing, unreadable, not a tar, has no index as its first
    member (`index-missing`), or the index is damaged. Members are not read; `zeroserve.check` does
    that.
    """
    from zeroserve.pack.tar_reader import open_archive, read_members

    with open_archive(tar) as file:
        first = next(iter(read_members(file, str(tar))), None)
        if first is None or first.path != INDEX_PATH:
            raise SiteRefused(
                "index-missing",
                f"`{tar}` has no member index, so it was not made by `zeroserve pack`",
                hint="pack the site with `zeroserve pack DIR -o SITE.tar`",
            )
        if first.size > INDEX_BYTES_MAX:
            raise _bad(str(tar), f"a size of {first.size} bytes")
        file.seek(first.offset)
        data = file.read(first.size)
    if len(data) != first.size:
        raise SiteRefused("site-truncated", f"`{tar}` ends within its member index")
    return decode_index(data, str(tar))
