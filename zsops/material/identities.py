"""The operator's own keys: what opens the project's encrypted files. Never in argv or the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage

from zsops.errors import ZsopsError
from zsops.material.errors import MaterialError

_USUAL = ("~/.config/zsops/identity.age", "~/.config/age/keys.txt", "~/.ssh/id_ed25519")
_SECRET = "AGE-SECRET-KEY-1"  # noqa: S105 - how an age identity begins


class Identities:
    """Loaded at the first use. `$ZSOPS_AGE_KEY` holds a key, `$ZSOPS_AGE_IDENTITY` names files."""

    def __init__(self, directory: Path, named: str | None) -> None:
        """`named`: what the file says, relative to `directory`."""
        self._directory = directory
        self._named = named
        self._loaded: list[Any] | None = None

    def open(self, sealed: bytes) -> bytes | None:
        """The plain bytes, or None when none of our keys fits. Raises MaterialError."""
        if self._loaded is None:
            self._loaded = list(self._load())
        if not self._loaded:
            return None
        try:
            plain: bytes = pyrage.decrypt(sealed, self._loaded)
        except pyrage.DecryptError:
            return None
        return plain

    def _load(self) -> Iterator[Any]:
        given = os.environ.get("ZSOPS_AGE_KEY", "")
        if given:
            yield from _age(given, "$ZSOPS_AGE_KEY")
        listed = os.environ.get("ZSOPS_AGE_IDENTITY", "")
        if listed:
            for name in listed.split(os.pathsep):
                yield from _file(Path(name).expanduser())
            return
        if self._named is not None:
            yield from _file(self._directory / Path(self._named).expanduser())
            return
        for usual in _USUAL:
            place = Path(usual).expanduser()
            if place.is_file():
                try:
                    yield from _file(place)
                except ZsopsError:
                    continue  # a key with a password, say: it was not named by anybody


def _file(place: Path) -> Iterator[Any]:
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise MaterialError(f"identity `{place}` cannot be read: {error.strerror}") from None
    if b"OPENSSH PRIVATE KEY" in raw:
        try:
            yield pyrage.ssh.Identity.from_buffer(raw)
        except pyrage.IdentityError as error:
            raise MaterialError(
                f"identity `{place}`: {error}",
                hint="use an age identity, or a key without password",
            ) from None
        return
    yield from _age(raw.decode("ascii", "replace"), f"`{place}`")


def _age(text: str, name: str) -> Iterator[Any]:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith(_SECRET)]
    if not lines:
        raise MaterialError(f"identity {name} holds no age identity", hint="`age-keygen` makes one")
    for line in lines:
        try:
            yield pyrage.x25519.Identity.from_str(line)
        except pyrage.IdentityError:
            raise MaterialError(f"identity {name} holds a damaged age identity") from None
