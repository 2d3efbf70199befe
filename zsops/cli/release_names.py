"""Names of releases for completion, kept from the last look: completing a word asks no host."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

_NAMES_MAX = 1000


def remember(project: Path, environment: str, names: Iterable[str]) -> None:
    """Keep what a look has found. A cache that cannot be written is no reason to fail."""
    kept = sorted(set(names))[-_NAMES_MAX:]
    file = _file(project, environment)
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(kept))
        fresh.replace(file)


def remember_more(project: Path, environment: str, names: Iterable[str]) -> None:
    """Add to what is kept: a deployment made these."""
    fresh = tuple(names)
    if fresh:
        remember(project, environment, (*recall(project, environment), *fresh))


def recall(project: Path, environment: str) -> tuple[str, ...]:
    """The names of the last look, newest first; none when there was none."""
    try:
        found = json.loads(_file(project, environment).read_text())
    except (OSError, ValueError):
        return ()
    return tuple(str(each) for each in reversed(found)) if isinstance(found, list) else ()


def _file(project: Path, environment: str) -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    word = hashlib.sha256(os.fsencode(project.absolute())).hexdigest()[:16]
    return Path(home).expanduser() / "zsops" / f"{word}-{environment}.json"
