"""Tar headers of our own:

ustar, and pax records only where ustar has no room. Pure: names and sizes in, bytes out.

The standard library's `tarfile` would do it too, but what it writes has changed between Python
versions, and our promise is the same bytes on every machine.
"""

from zeroserve.pack.member_index import BLOCK_BYTES

NAME_BYTES = 100
PREFIX_BYTES = 155
USTAR_SIZE_MAX = 8**11 - 1  # 11 octal digits
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)
_PAX_NAME = b"././@PaxHeader"


def header_bytes(path: str, size: int, mtime: int) -> bytes:
    """The header blocks of a regular member, pax blocks included.

    `size` in bytes, `mtime` in seconds since 1970.
    """
    raw = path.encode()
    split = _split(raw) if path.isascii() else None
    records = b""
    if split is None:
        records += _record(b"path", raw)
        # Only a reader without pax sees this name; it is never cut within a character.
        split = b"", raw[:NAME_BYTES].decode(errors="ignore").encode()
    if size > USTAR_SIZE_MAX:
        records += _record(b"size", str(size).encode())
    if mtime > USTAR_SIZE_MAX:
        records += _record(b"mtime", str(mtime).encode())
    own = _block(split, min(size, USTAR_SIZE_MAX), min(mtime, USTAR_SIZE_MAX), b"0")
    if not records:
        return own
    pax = _block((b"", _PAX_NAME), len(records), 0, b"x")
    return pax + records + bytes(padding(len(records))) + own


def padding(size: int) -> int:
    """Bytes of zeros after data of `size` bytes, up to the next block."""
    return -size % BLOCK_BYTES


def _split(raw: bytes) -> tuple[bytes, bytes] | None:
    """Prefix and name of a path, or None when ustar has no room for it."""
    if len(raw) <= NAME_BYTES:
        return b"", raw
    cut = raw.find(b"/", len(raw) - NAME_BYTES - 1)
    if cut <= 0 or cut > PREFIX_BYTES or cut == len(raw) - 1:
        return None
    return raw[:cut], raw[cut + 1 :]


def _record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    if len(str(length)) + len(body) != length:
        length += 1  # the length counts its own digits, and just got one more
    return str(length).encode() + body


def _block(split: tuple[bytes, bytes], size: int, mtime: int, kind: bytes) -> bytes:
    prefix, name = split
    block = bytearray(BLOCK_BYTES)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"  # uid, gid
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"%011o\0" % mtime
    block[148:156] = b"        "
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[329:337] = block[337:345] = b"0000000\0"  # device numbers
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
