"""Compose: packed archives in, one archive out that holds them below roots of their own. Pure.

What comes out is a list of pieces, bytes of its own and stretches of the archives that went in,
so that whoever has those archives can make the new one, on whichever machine. The same parts give
the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from zeroserve.errors import PackRefused
from zeroserve.pack import ustar
from zeroserve.pack.content_type import content_type_of
from zeroserve.pack.hosts import HOSTS_PATH, parse_hosts
from zeroserve.pack.member_index import (
    INDEX_PATH,
    Member,
    encode_index,
    index_size,
    site_digest_of,
    text_digest,
)

SITES_PREFIX = "sites/"


@dataclass(frozen=True, slots=True)
class Part:
    """One site of an archive: its members below `prefix` (all of them when it is empty)."""

    source: str  # names the archive, for whoever copies
    members: tuple[Member, ...]
    prefix: str = ""

    def files(self) -> tuple[Member, ...]:
        """The site's members, by their names within it."""
        return tuple(
            replace(each, path=each.path.removeprefix(self.prefix))
            for each in self.members
            if each.path.startswith(self.prefix)
        )

    def digest(self) -> str:
        """The site digest of the part, as it would be alone."""
        pairs = ((each.path, each.sha256) for each in self.files())
        return text_digest(site_digest_of(pairs))


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the new archive: `data`, or `size` bytes at `offset` of `source`."""

    size: int
    data: bytes = b""
    source: str | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Composition:
    """How the archive is put together, and what will be in it."""

    pieces: tuple[Piece, ...]
    members: tuple[Member, ...]
    site_digest: str
    size: int


def root_of(site: str) -> str:
    """The folder of a site in a composed archive, with its closing slash."""
    return f"{SITES_PREFIX}{site}/"


def compose(parts: Mapping[str, Part], hosts: Mapping[str, str]) -> Composition:
    """Put the parts below `sites/NAME/`. `hosts`: host name to the name of its site.

    Raises `PackRefused` (`hosts-bad`) for a part that has hosts of its own, or for hosts that the
    server would refuse.
    """
    placed: list[tuple[Member, str | None, bytes]] = []
    document = json.dumps(
        {host: root_of(site).rstrip("/") for host, site in sorted(hosts.items())}, indent=1
    ).encode()
    for name, part in parts.items():
        for member in part.files():
            if member.path == HOSTS_PATH:
                text = f"site `{name}` has a `{HOSTS_PATH}` of its own"
                raise PackRefused("hosts-bad", text, hint="give it an instance of its own")
            placed.append((replace(member, path=root_of(name) + member.path), part.source, b""))
    names = [member.path for member, _, _ in placed]
    _judge(document, names)
    placed.append((_made(document), None, document))
    placed.sort(key=lambda each: each[0].path.encode())
    return _lay_out(placed)


def _judge(document: bytes, names: Sequence[str]) -> None:
    try:
        parse_hosts(document, lambda prefix: any(name.startswith(prefix) for name in names))
    except ValueError as error:
        raise PackRefused("hosts-bad", f"`{HOSTS_PATH}`: {error}") from None


def _made(document: bytes) -> Member:
    return Member(
        path=HOSTS_PATH,
        offset=0,
        size=len(document),
        mtime=0,
        sha256=hashlib.sha256(document).digest(),
        content_type=content_type_of(HOSTS_PATH),
        encodings=0,
        has_placeholder=False,
    )


def _lay_out(placed: list[tuple[Member, str | None, bytes]]) -> Composition:
    old = [member for member, _, _ in placed]
    size = index_size((each.path for each in old), (each.content_type for each in old))
    at = len(ustar.header_bytes(INDEX_PATH, size, 0)) + size + ustar.padding(size)
    members = []
    for member in old:
        at += len(ustar.header_bytes(member.path, member.size, member.mtime))
        members.append(replace(member, offset=at))
        at += member.size + ustar.padding(member.size)
    index = encode_index(members)
    assert len(index) == size
    pieces = [_own(ustar.header_bytes(INDEX_PATH, size, 0) + index + bytes(ustar.padding(size)))]
    for (before, source, data), member in zip(placed, members, strict=True):
        pieces.append(_own(ustar.header_bytes(member.path, member.size, member.mtime)))
        if source is None:
            pieces.append(_own(data))
        elif member.size:
            pieces.append(Piece(member.size, source=source, offset=before.offset))
        pieces.append(_own(bytes(ustar.padding(member.size))))
    pieces.append(_own(ustar.END_OF_ARCHIVE))
    digest = text_digest(site_digest_of((each.path, each.sha256) for each in members))
    kept = tuple(each for each in pieces if each.size)
    return Composition(kept, tuple(members), digest, at + len(ustar.END_OF_ARCHIVE))


def _own(data: bytes) -> Piece:
    return Piece(len(data), data)
