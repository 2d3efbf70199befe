"""Small packed sites for the deploy tests."""

from __future__ import annotations

import hashlib
import io
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zeroserve.pack.archive import PackOptions, pack
from zsops.host import messages as m


@dataclass(frozen=True)
class Site:
    """A packed site: its bytes, its digests, and what its front page says."""

    tar: bytes
    release_digest: str
    site_digest: str
    page: bytes

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
        )

    def health(self, **more: float) -> m.HealthPolicy:
        """A quick policy that compares the front page's bytes."""
        content = m.ContentCheck(
            "index.html", hashlib.sha256(self.page).hexdigest(), len(self.page)
        )
        numbers = {"interval_s": 0.01, "timeout_s": 2.0, **more}
        return m.HealthPolicy(successes=1, content=(content,), **numbers)


@cache
def site(text: str, padding: int = 0) -> Site:
    """A site of one page, and with `padding` a file of that many times 32 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        page = f"<!doctype html><title>{text}</title><p>{text}</p>".encode()
        (Path(folder) / "index.html").write_bytes(page)
        if padding:
            (Path(folder) / "big.bin").write_bytes(hashlib.sha256(text.encode()).digest() * padding)
        tar = io.BytesIO()
        result = pack(Path(folder), tar, PackOptions())
        return Site(tar.getvalue(), result.release_digest, result.site_digest, page)
