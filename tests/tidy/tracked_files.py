"""The files that git tracks, as they lie in the checkout."""

from __future__ import annotations

import subprocess  # noqa: TID251 -- the house rules ask git for its files
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Checkout:
    """The tracked files. Paths are relative to the checkout, with slashes."""

    root: Path
    paths: tuple[str, ...]

    @classmethod
    def read(cls) -> Checkout:
        """Ask git."""
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True
        ).stdout.decode()
        paths = [path for path in listed.split("\0") if path and (ROOT / path).is_file()]
        assert len(paths) > 20, "git lists next to nothing: is this a checkout?"
        return cls(ROOT, tuple(sorted(paths)))

    def matching(self, *suffixes: str, under: str = "") -> list[str]:
        """Tracked paths with one of the suffixes."""
        return [path for path in self.paths if path.endswith(suffixes) and path.startswith(under)]

    def text(self, path: str) -> str:
        """A tracked file's text; bytes that are no UTF-8 are replaced."""
        return (self.root / path).read_text(errors="replace")
