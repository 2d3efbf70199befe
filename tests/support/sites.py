"""Small packed sites for the deploy tests."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from zeroserve.pack.archive import PackOptions, pack
from zeroserve.pack.compose import Part, compose
from zeroserve.pack.member_index import read_index
from zsops.host import messages as m
from zsops.host.extents import encode, read_extents


@dataclass(frozen=True)
class Site:
    """A packed site: its bytes, its digests, and what its front page says."""

    tar: bytes
    release_digest: str
    site_digest: str
    page: bytes
    extents: str
    sites: tuple[m.SitePart, ...] = ()

    def stage(self, token: int, instance: str = "web") -> m.Stage:
        """The request that stages it."""
        return m.Stage(
            token,
            instance,
            self.release_digest,
            self.site_digest,
            len(self.tar),
            who="ana",
            why="a test",
            extents=self.extents,
            sites=self.sites,
        )

    def health(self, **more: float) -> m.HealthPolicy:
        """A quick policy that compares the front page's bytes."""
        host = f"{self.sites[0].name}.example" if self.sites else ""
        content = m.ContentCheck(
            "index.html", hashlib.sha256(self.page).hexdigest(), len(self.page), host
        )
        numbers = {"interval_s": 0.01, "timeout_s": 2.0, **more}
        return m.HealthPolicy(successes=1, content=(content,), **numbers)


@cache
def site(text: str, padding: int = 0) -> Site:
    """A site of one page, and with `padding` a file of that many times 32 bytes."""
    page = f"<!doctype html><title>{text}</title><p>{text}</p>".encode()
    files = {"index.html": page}
    if padding:
        files["big.bin"] = hashlib.sha256(text.encode()).digest() * padding
    return packed(files)


def bundled(**sites: Site) -> Site:
    """Several sites in one tar, each for a host of its own name; a health check asks the first."""
    with tempfile.TemporaryDirectory() as folder:
        parts = {}
        for name, each in sites.items():
            tar = Path(folder, f"{name}.tar")
            tar.write_bytes(each.tar)
            parts[name] = Part(name, read_index(tar).members)
        made = compose(parts, {f"{name}.example": name for name in sites})
        data = b"".join(
            piece.data
            if piece.source is None
            else sites[piece.source].tar[piece.offset : piece.offset + piece.size]
            for piece in made.pieces
        )
    members = [(each.offset, each.size) for each in made.members]
    return Site(
        data,
        f"sha256:{hashlib.sha256(data).hexdigest()}",
        made.site_digest,
        next(iter(sites.values())).page,
        encode(read_extents(io.BytesIO(data), members, made.size)),
        tuple(m.SitePart(name, f"sites/{name}/", each.site_digest) for name, each in sites.items()),
    )


def packed(files: Mapping[str, bytes]) -> Site:
    """A site of these files, `index.html` among them."""
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as tar:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        result = pack(Path(folder), cast("BinaryIO", tar), PackOptions())
        tar.flush()
        members = [(each.offset, each.size) for each in read_index(Path(tar.name)).members]
        extents = encode(read_extents(cast("BinaryIO", tar), members, result.size))
        return Site(
            Path(tar.name).read_bytes(),
            result.release_digest,
            result.site_digest,
            files["index.html"],
            extents,
        )
