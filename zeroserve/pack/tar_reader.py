"""Tar reader: the regular members of an uncompressed archive and where their bytes lie.

Reads headers only.

Understands ustar, pax (`path`, `size`, `mtime`), GNU long names and base-256 numbers; refuses
sparse members. Links, directories and devices are passed over, as the engine does. Written for
archives made elsewhere, so nothing is trusted.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zeroserve.errors import SiteRefused
from zeroserve.pack.member_index import BLOCK_BYTES

EXTENSION_BYTES_MAX = 256 << 10  # as the engine; far above two names of the longest kind
REGULAR_TYPES = (b"0", b"\0", b"7")
DATALESS_TYPES = (b"1", b"2", b"3", b"4", b"5", b"6")
_ZERO_BLOCK = bytes(BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class TarMember:
    """A regular member. `offset` is that of its data; `mtime` in whole seconds."""

    path: str
    offset: int
    size: int
    mtime: int


@dataclass(slots=True)
class _Override:
    """What extension members said about the member that follows them."""

    path: bytes | None = None
    size: int | None = None
    mtime: int | None = None


def open_archive(tar: Path) -> BinaryIO:
    """Open an archive for reading.

    Raises `SiteRefused` when it is missing, unreadable, a directory or empty.
    """
    try:
        file = tar.open("rb")
    except FileNotFoundError:
        raise SiteRefused("site-missing", f"`{tar}` does not exist") from None
    except IsADirectoryError:
        raise SiteRefused(
            "site-is-directory",
            f"`{tar}` is a directory, a tarball is wanted",
            hint=f"pack it first: `zeroserve pack {tar} -o SITE.tar`",
        ) from None
    except OSError as error:
        raise SiteRefused("site-unreadable", f"`{tar}`: {_why(error)}") from error
    if os.fstat(file.fileno()).st_size == 0:
        file.close()
        raise SiteRefused("site-empty", f"`{tar}` is empty")
    return file


def read_members(file: BinaryIO, name: str) -> Iterator[TarMember]:
    """Yield the regular members in the order of the archive. `name` is the archive's, for errors.

    Raises `SiteRefused` at the first fault: `site-not-tar`, `site-truncated`, `member-sparse`,
    `member-path` (only for a name that is not UTF-8; where a name leads is for the caller to
    judge).
    """
    try:
        yield from _walk(file, name)
    except OSError as error:
        raise SiteRefused("site-unreadable", f"`{name}`: {_why(error)}") from error


def _walk(file: BinaryIO, name: str) -> Iterator[TarMember]:
    end = file.seek(0, os.SEEK_END)
    at = 0
    override = _Override()
    pax_global = _Override()
    while True:
        file.seek(at)
        block = file.read(BLOCK_BYTES)
        if block == _ZERO_BLOCK:
            return
        _check_header(block, at, name)
        kind = block[156:157]
        size = _data_size(block, kind, override, at, name)
        data_at = at + BLOCK_BYTES
        if data_at + size > end:
            raise SiteRefused(
                "site-truncated",
                f"`{name}` ends within a member: {data_at + size} bytes wanted, {end} there",
                hint="copy or pack it again",
            )
        at = data_at + _padded(size)
        if kind in (b"x", b"g", b"L", b"K"):
            into = pax_global if kind == b"g" else override
            _apply_extension(file, kind, size, into, name)
            continue
        if kind == b"S":
            raise _sparse(name, _header_path(block).decode(errors="replace"))
        if kind in REGULAR_TYPES:
            member = _member(block, override, pax_global, data_at, size, name)
            if member is not None:
                yield member
        override = _Override()


def _data_size(block: bytes, kind: bytes, override: _Override, at: int, name: str) -> int:
    if kind in DATALESS_TYPES:
        return 0  # links, devices and directories have no data, whatever their size field says
    if kind in REGULAR_TYPES and override.size is not None:
        return override.size
    size = _number(block[124:136], at, name)
    if size < 0:
        raise _not_tar(name, f"the header at byte {at} has a size below zero")
    return size


def _check_header(block: bytes, at: int, name: str) -> None:
    if len(block) < BLOCK_BYTES:
        if at == 0:
            raise _not_tar(name, f"{len(block)} bytes are no tar header")
        # Without its end marker nobody knows whether whole members are missing.
        raise SiteRefused(
            "site-truncated", f"`{name}` ends without an end marker", hint="copy or pack it again"
        )
    stated = _number(block[148:156], at, name)
    found = sum(block) - sum(block[148:156]) + 8 * 0x20
    if stated != found:
        hint = None
        if block[:2] == b"\x1f\x8b" or block[:4] == b"\x28\xb5\x2f\xfd" or block[:2] == b"BZ":
            hint = "decompress it first: files are served in place"
        raise _not_tar(name, f"the header at byte {at} has a wrong checksum", hint)


def _number(field: bytes, at: int, name: str) -> int:
    """A tar number: octal text, or base-256 (GNU: sizes of 8 GiB and more, times below zero)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if field[0] == 0xFF:
        return int.from_bytes(field, "big", signed=True)
    text = field.rstrip(b" \0").lstrip(b" ")
    if not text:
        return 0
    if not text.isdigit() or b"8" in text or b"9" in text:
        raise _not_tar(name, f"the header at byte {at} has a field that is no number")
    return int(text, 8)


def _apply_extension(
    file: BinaryIO, kind: bytes, size: int, override: _Override, name: str
) -> None:
    if size > EXTENSION_BYTES_MAX:
        raise _not_tar(name, f"an extended header of {size} bytes")
    data = file.read(size)
    if kind == b"L":
        override.path = data.rstrip(b"\0")
    elif kind in (b"x", b"g"):
        _apply_pax(data, override, name)


def _apply_pax(data: bytes, override: _Override, name: str) -> None:
    while data:
        length_text, _, rest = data.partition(b" ")
        if not length_text.isdigit() or len(length_text) > 7:
            raise _not_tar(name, "an extended header has a record without a length")
        length = int(length_text)
        record = data[len(length_text) + 1 : length]
        key, equals, value = record.partition(b"=")
        if not equals or not rest or length > len(data) or not value.endswith(b"\n"):
            raise _not_tar(name, "an extended header has a malformed record")
        _apply_record(key, value[:-1], override, name)
        data = data[length:]


def _apply_record(key: bytes, value: bytes, override: _Override, name: str) -> None:
    if key.startswith(b"GNU.sparse."):
        raise _sparse(name, None)
    if key == b"path":
        override.path = value
    elif key == b"size":
        if not value.isdigit() or len(value) > 19:
            raise _not_tar(name, "an extended header has a size that is no number")
        override.size = int(value)
    elif key == b"mtime":
        whole = value.partition(b".")[0]
        digits = whole.removeprefix(b"-")
        if not digits.isdigit() or len(digits) > 18:
            raise _not_tar(name, "an extended header has a time that is no number")
        override.mtime = int(whole)


def _member(
    block: bytes, own: _Override, shared: _Override, data_at: int, size: int, name: str
) -> TarMember | None:
    raw = own.path or shared.path or _header_path(block)
    if raw.endswith(b"/"):
        return None  # how tars before ustar wrote a directory
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        shown = raw.decode(errors="backslashreplace")
        raise SiteRefused(
            "member-path", f"`{name}` has a member whose name is not UTF-8: `{shown}`"
        ) from None
    if not path.startswith("/") and ".." not in path.split("/"):
        # One spelling for one file, the one a cleaned request path has.
        path = "/".join(part for part in path.split("/") if part not in ("", "."))
    mtime = own.mtime if own.mtime is not None else shared.mtime
    if mtime is None:
        mtime = _number(block[136:148], data_at - BLOCK_BYTES, name)
    return TarMember(path, data_at, size, mtime)


def _header_path(block: bytes) -> bytes:
    path = block[:100].partition(b"\0")[0]
    # Only ustar has the prefix; GNU's own magic (`ustar  `) puts other fields there.
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].partition(b"\0")[0]
        if prefix:
            return prefix + b"/" + path
    return path


def _padded(size: int) -> int:
    return (size + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES


def _not_tar(name: str, what: str, hint: str | None = None) -> SiteRefused:
    return SiteRefused("site-not-tar", f"`{name}` is not an uncompressed tar: {what}", hint=hint)


def _sparse(name: str, member: str | None) -> SiteRefused:
    which = "a member" if member is None else f"`{member}`"
    return SiteRefused(
        "member-sparse",
        f"`{name}`: {which} is stored sparse and cannot be served in place",
        hint="make the archive without `--sparse`, or with `zeroserve pack`",
    )


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
