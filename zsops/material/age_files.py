"""age files: reading what the project keeps, encrypting to recipients, telling who can open one."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyrage

from zsops.config.secrets import AGE
from zsops.material.errors import MaterialError

BYTES_MAX = 1 << 20
_WORLD_READABLE = 0o004
_SSH_STANZA = b"-> ssh-ed25519 "


def place_of(directory: Path, written: str) -> tuple[Path, bool]:
    """Where `age:secrets/x.age` lies, and whether it is an age file."""
    path = Path(written.removeprefix(AGE)).expanduser()
    return directory / path, written.startswith(AGE)


def read(place: Path, *, sealed: bool, secret: bool) -> bytes:
    """The file's bytes as they are. Raises MaterialError.

    A plain private key that everybody on this machine can read is refused.
    """
    try:
        with place.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
        mode = place.stat().st_mode
    except OSError as error:
        raise MaterialError(f"`{place}` cannot be read: {error.strerror}") from None
    if len(raw) > BYTES_MAX:
        raise MaterialError(f"`{place}` is larger than 1 MiB")
    if sealed and not is_age(raw):
        raise MaterialError(
            f"`{place}` is no age file", hint="`zsops secrets edit` writes one, or leave `age:` out"
        )
    if secret and not sealed and mode & _WORLD_READABLE:
        raise MaterialError(
            f"`{place}` is a private key that everybody on this machine can read",
            hint="chmod 600, or keep it encrypted: `age:…`",
        )
    return raw


def is_age(raw: bytes) -> bool:
    """Whether this is an age file, in binary or armored form."""
    return raw.startswith((b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----"))


def seal(plain: bytes, recipients: Iterable[str]) -> bytes:
    """Encrypt to these public keys. Raises MaterialError for one that is none."""
    sealed: bytes = pyrage.encrypt(plain, [_recipient(each) for each in recipients])
    return sealed


def is_for(raw: bytes, recipients: Sequence[str]) -> bool:
    """Whether the age file names one of these SSH keys as its reader.

    Only SSH keys are named in an age file; those of age itself are not, by design.
    """
    head = raw.partition(b"\n---")[0]
    stanzas = (line.split() for line in head.splitlines() if line.startswith(_SSH_STANZA))
    tags = {words[2] for words in stanzas if len(words) > 2}
    return any(_tag(each) in tags for each in recipients if each.startswith("ssh-ed25519 "))


def _tag(recipient: str) -> bytes:
    """How an age file names an SSH key; nothing for what is no key."""
    try:
        key = base64.b64decode(recipient.split()[1], validate=True)
    except (IndexError, binascii.Error):
        return b""
    return base64.b64encode(hashlib.sha256(key).digest()[:4]).rstrip(b"=")


def _recipient(text: str) -> Any:  # noqa: ANN401 - pyrage has no common type
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise MaterialError(f"`{text}` is no public key that can be encrypted to") from None
