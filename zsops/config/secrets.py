"""The parts of `zsops.yaml` about certificates, ECH keys, and who may read the encrypted files."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from zsops.config.duration import Duration
from zsops.config.values import HostName, Name, Section

#: In front of a path: the file is an age file.
AGE = "age:"

_RECIPIENT = re.compile(r"age1[0-9a-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?")
_DAYS = re.compile(r"([1-9][0-9]{0,3})d")
_DAYS_MAX = 3650


def _secret_path(value: str) -> str:
    if not value.removeprefix(AGE).strip():
        raise ValueError("must name a file, as `age:secrets/acme.key.age`")
    return value


def _recipient(value: str) -> str:
    if not _RECIPIENT.fullmatch(value):
        raise ValueError("must be a public key: `age1…` or `ssh-ed25519 …`")
    return value


def parse_days(value: object) -> int:
    """The number of days in `30d`. Raises ValueError."""
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) > _DAYS_MAX:
        raise ValueError(f"must be a number of days, as `30d`, not `{value}`")
    return int(match[1])


SecretPath = Annotated[str, AfterValidator(_secret_path)]
Recipient = Annotated[str, AfterValidator(_recipient)]
Days = Annotated[
    int,
    BeforeValidator(parse_days),
    PlainSerializer(lambda days: f"{days}d", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,3}d$"}),
]


def _names(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise ValueError("must be a name of `tls`, or a list of them")
    if not listed:
        raise ValueError("must name at least one certificate; left out, the host makes one")
    return tuple(listed)


TlsNames = Annotated[
    tuple[Name, ...],
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Tls(Section):
    """A certificate and its key."""

    cert: SecretPath = Field(description="certificate chain, leaf first; `age:` if encrypted")
    key: SecretPath = Field(description="private key; `age:` in front of an encrypted file")
    min_days: int = Field(
        default=21, ge=0, le=_DAYS_MAX, description="warn when fewer days are left"
    )
    ca: str | None = Field(
        default=None,
        min_length=1,
        description="authority of the chain that is shown, by which the look from here verifies"
        " it: a PEM file, or `system`",
    )


class Ech(Section):
    """Keys for Encrypted Client Hello; `zsops ech rotate` makes and retires them."""

    public_name: HostName = Field(description="the name that anybody on the way may see")
    dir: SecretPath = Field(description="directory of the keys; `age:` if they are encrypted")
    rotate: Days = Field(default=30, description="age at which a key should have a successor")
    retire: Days = Field(default=7, description="time an old key is still understood")
    dns_ttl: Duration = Field(default=300_000, description="time to live of the HTTPS record")


class Secrets(Section):
    """Who can read the encrypted files of the project."""

    recipients: tuple[Recipient, ...] = Field(
        default=(), description="public keys that files are encrypted to"
    )
    identity: str | None = Field(
        default=None, description="private key that opens them; `$ZSOPS_AGE_IDENTITY` comes first"
    )
