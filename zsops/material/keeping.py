"""The project's encrypted files as such: writing one, and encrypting all of them anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zsops.config.load import Project
from zsops.material import age_files
from zsops.material.ech_keys import EchDirectory
from zsops.material.errors import MaterialError
from zsops.material.identities import Identities


def encrypted_files(project: Project) -> Iterator[Path]:
    """Every `age:` file that `zsops.yaml` names, and the keys in its ECH directories."""
    config, directory = project.config, project.directory
    found: dict[Path, None] = {}
    for tls in config.tls.values():
        for written in (tls.cert, tls.key):
            place, sealed = age_files.place_of(directory, written)
            if sealed:
                found[place] = None
    for ech in config.ech.values():
        keys = EchDirectory(directory, ech)
        if keys.sealed and keys.place.is_dir():
            found |= dict.fromkeys(sorted(keys.place.glob("*.age")))
    yield from found


def recipients(project: Project) -> Sequence[str]:
    """Who may read the files. Raises MaterialError when nobody is named."""
    named = project.config.secrets.recipients
    if not named:
        raise MaterialError(
            "there is nobody to encrypt to", hint="name keys in `secrets: {recipients: […]}`"
        )
    return named


def opened(place: Path, identities: Identities) -> bytes:
    """A file's content; nothing for one that is not there yet. Raises MaterialError."""
    if not place.exists():
        return b""
    raw = age_files.read(place, sealed=True, secret=True)
    plain = identities.open(raw)
    if plain is None:
        raise MaterialError(
            f"`{place}` opens with none of our keys", hint="`$ZSOPS_AGE_IDENTITY` names one"
        )
    return plain


def write(place: Path, plain: bytes, to: Sequence[str]) -> None:
    """Encrypt and replace a file in one step. Raises MaterialError."""
    sealed = age_files.seal(plain, to)
    fresh = place.with_name(f".{place.name}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh.touch(0o600)
        fresh.write_bytes(sealed)
        fresh.replace(place)
    except OSError as error:
        raise MaterialError(f"`{place}` cannot be written: {error.strerror}") from None


def rekey(project: Project, identities: Identities) -> list[Path]:
    """Encrypt every file anew to those who may read it now; all can be opened, or none changes."""
    to = recipients(project)
    plain = {place: opened(place, identities) for place in encrypted_files(project)}
    for place, content in plain.items():
        write(place, content, to)
    return list(plain)
