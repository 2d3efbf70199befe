"""Cache: objects that were made before, under `$XDG_CACHE_HOME/zeroserve/scripts`.

A key is the digest of everything that a compile sees. An entry carries the digest of its own
content: a damaged one counts as none. Only a folder that nobody else can write to is used, and
a cache that cannot be used is no error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path

from zeroserve.scripts.job import Compiled, CompileJob

ENTRIES_MAX = 512
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def key_of(job: CompileJob, header: bytes, compiler: tuple[str, ...]) -> str:
    """The name of a job's result: sources, header, compiler, version and flags."""
    digest = hashlib.sha256()
    parts = [b"1", *(one.encode() for one in compiler), header, job.path.encode(), job.content]
    for path, content in sorted(job.includes.items()):
        parts += [path.encode(), content]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


class Cache:
    """Results by key. `folder` of None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        """Open the cache; a folder that is not ours alone is not used."""
        self._folder = folder if folder is not None and _is_ours(folder) else None

    def get(self, key: str) -> Compiled | None:
        """What was made for this key."""
        if self._folder is None:
            return None
        place = self._folder / key
        try:
            data = place.read_bytes()
            digest, body = data[:32], data[32:]
            if hashlib.sha256(body).digest() != digest:
                return None
            head, _, content = body.partition(b"\n")
            said = json.loads(head)["diagnostics"]
            os.utime(place)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Compiled(content, said, from_cache=True)

    def put(self, key: str, made: Compiled) -> None:
        """Keep a result, whole or not at all."""
        if self._folder is None:
            return
        body = json.dumps({"diagnostics": made.diagnostics}).encode() + b"\n" + made.content
        try:
            descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            Path(name).replace(self._folder / key)
        except OSError:
            return

    def prune(self) -> None:
        """Drop the entries that were not used for the longest time."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            entries = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime)
            for one in entries[:-ENTRIES_MAX]:
                one.unlink(missing_ok=True)


def default_folder(environment: os._Environ[str] | dict[str, str]) -> Path | None:
    """Where the cache lies: `$XDG_CACHE_HOME`, else `~/.cache`; None when there is neither."""
    base = environment.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute():
        home = environment.get("HOME", "")
        if not Path(home).is_absolute():
            return None
        base = f"{home}/.cache"
    return Path(base) / "zeroserve" / "scripts"


def _is_ours(folder: Path) -> bool:
    # An object from a folder that others write to would be their program in our site.
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(facts.st_mode)
        and facts.st_uid == os.geteuid()
        and not facts.st_mode & _OTHERS_WRITE
    )
