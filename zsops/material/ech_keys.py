"""The project's ECH keys: a directory of encrypted bundles, and `ech.json` beside them, which is
public and says which key is in which part of its life.

A key is *beside* (understood, not yet told to anybody), then *newest* (clients are told of it),
then *old* (understood until nobody can remember it). Servers tell clients of the last file only.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeroserve.errors import TlsRefused
from zeroserve.tls.ech import config_list, generate
from zsops.config.secrets import Ech
from zsops.material import age_files
from zsops.material.errors import MaterialError

STATE = "ech.json"
Role = Literal["old", "beside", "newest"]
_ORDER: dict[Role, int] = {"old": 0, "beside": 1, "newest": 2}
_NAME = re.compile(r"[^a-z0-9._-]+")


class KeptKey(BaseModel):
    """One key of `ech.json`. `since` None: not all hosts are known to have it in this role."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    file: str
    config_id: int
    config: str = Field(description="one ECHConfig, base64; public")
    role: Role
    made: str
    since: str | None = None


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    v: Literal[1] = 1
    keys: tuple[KeptKey, ...] = ()


@dataclass(frozen=True)
class EchDirectory:
    """One `ech:` entry of the file."""

    project: Path
    ech: Ech

    @property
    def place(self) -> Path:
        """The directory."""
        return age_files.place_of(self.project, self.ech.dir)[0]

    @property
    def sealed(self) -> bool:
        """Whether the keys are age files."""
        return age_files.place_of(self.project, self.ech.dir)[1]

    def kept(self) -> tuple[KeptKey, ...]:
        """Every key, the newest last. Raises MaterialError."""
        try:
            raw = (self.place / STATE).read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise MaterialError(
                f"`{self.place / STATE}` cannot be read: {error.strerror}"
            ) from None
        try:
            found = _State.model_validate_json(raw).keys
        except ValidationError as error:
            said = error.errors()[0]["msg"].lower()
            raise MaterialError(f"`{self.place / STATE}` is not what zsops wrote: {said}") from None
        return tuple(sorted(found, key=lambda each: (_ORDER[each.role], each.made)))

    def release_files(self) -> list[tuple[str, Path]]:
        """(path in a release, file here) of every key, the newest last. Raises MaterialError.

        A directory without `ech.json` was filled by hand: its files in the order of their names.
        """
        kept = [(f"{each.config_id:02x}", each.file) for each in self.kept()]
        if not kept:
            suffix = ".age" if self.sealed else ".pem"
            names = sorted(each.name for each in self._files() if each.name.endswith(suffix))
            kept = [(_NAME.sub("-", name.lower().removesuffix(suffix)), name) for name in names]
        if not kept:
            raise MaterialError(
                f"there is no ECH key in `{self.place}`",
                hint="`zsops ech rotate` makes the first one",
            )
        return [
            (f"ech/{at:02}-{name.removesuffix('.pem')}.pem", self.place / file)
            for at, (name, file) in enumerate(kept)
        ]

    def add(self, recipients: tuple[str, ...], now: datetime) -> KeptKey:
        """Make a key: the first is the newest at once, a later one waits beside it.

        Raises MaterialError.
        """
        if self.sealed and not recipients:
            raise MaterialError(
                "there is nobody to encrypt the new ECH key to",
                hint="name public keys in `secrets: {recipients: […]}`",
            )
        keys = self.kept()
        try:
            made = generate(self.ech.public_name, [each.config_id for each in keys])
        except TlsRefused as error:
            raise MaterialError(error.message, hint=error.hint) from None
        stamp = now.astimezone(UTC)
        file = f"{stamp:%Y%m%dT%H%M%S}-{made.config_id:02x}.pem{'.age' if self.sealed else ''}"
        content = age_files.seal(made.bundle(), recipients) if self.sealed else made.bundle()
        self._write(file, content, 0o600)
        fresh = KeptKey(
            file=file,
            config_id=made.config_id,
            config=base64.b64encode(made.config).decode(),
            role="beside" if keys else "newest",
            made=_text(stamp),
        )
        self.save((*keys, fresh))
        return fresh

    def save(self, keys: tuple[KeptKey, ...]) -> None:
        """Replace `ech.json`; files of keys that are no longer named are removed after it."""
        before = {each.file for each in self.kept()}
        text = _State(keys=keys).model_dump_json(indent=1) + "\n"
        self._write(STATE, text.encode(), 0o644)
        for name in before - {each.file for each in keys}:
            (self.place / name).unlink(missing_ok=True)

    def config_list(self) -> str | None:
        """What DNS should say: the list with the newest key, and one beside it first of all."""
        keys = self.kept()
        if not keys:
            return None
        told = next((each for each in keys if each.role == "beside"), keys[-1])
        return config_list([base64.b64decode(told.config)])

    def _files(self) -> list[Path]:
        try:
            return [each for each in self.place.iterdir() if not each.name.startswith(".")]
        except OSError:
            return []

    def _write(self, name: str, content: bytes, mode: int) -> None:
        fresh = self.place / f".{name}.new"
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            fresh.touch(mode)
            fresh.chmod(mode)
            fresh.write_bytes(content)
            fresh.replace(self.place / name)
        except OSError as error:
            raise MaterialError(
                f"`{self.place / name}` cannot be written: {error.strerror}"
            ) from None


def _text(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
