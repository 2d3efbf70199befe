"""known_hosts files: which key a host may show. Strict; what is not understood is an error.

Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": plain, wildcard, negated and hashed names,
`@cert-authority` and `@revoked`. A file is read whole or not at all: a line that was skipped might
have been the one that revokes a key. No socket, no clock: time comes in as an argument.
"""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    SSHCertPublicKeyTypes,
    load_ssh_public_identity,
)

from zsops.errors import ConfigError, HostKeyRefused

Marker = Literal["", "@cert-authority", "@revoked"]

_CERTIFICATE = "-cert-v01@openssh.com"
_HASHED = "|1|"
_SSH_PORT = 22
#: Key types, and the signature algorithms that use a key of the type, the best first.
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
#: In a file of a user these are legal and of no use here: no client library of ours speaks them.
_NOT_SPOKEN = ("ssh-dss", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")


class KnownHostsInvalid(ConfigError):
    """A known_hosts file cannot be read, or has a line that means nothing."""

    code = "known-hosts"


@dataclass(frozen=True)
class KnownHost:
    """One line: who may show which key."""

    where: str  # file:line
    marker: Marker
    names: tuple[str, ...]
    key: bytes

    def covers(self, name: str) -> bool:
        """Whether the line is about `name` (`host`, or `[host]:port` for another port than 22)."""
        if len(self.names) == 1 and self.names[0].startswith(_HASHED):
            return _hash_fits(self.names[0], name)
        covered = False
        for pattern in self.names:
            if _fits(pattern.removeprefix("!"), name):
                if pattern.startswith("!"):
                    return False
                covered = True
        return covered


class KnownHosts:
    """All lines of some files."""

    def __init__(self, lines: Iterable[KnownHost]) -> None:
        self._lines = tuple(lines)

    @classmethod
    def load(cls, files: Iterable[Path]) -> KnownHosts:
        """Read `files`; one that does not exist has no lines. Raises KnownHostsInvalid."""
        lines: list[KnownHost] = []
        for file in files:
            try:
                text = file.read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise KnownHostsInvalid(f"`{file}` cannot be read: {error}") from error
            lines.extend(parse(text, str(file)))
        return cls(lines)

    def algorithms(self, name: str) -> tuple[str, ...]:
        """Host key algorithms to offer to the server `name`, certificates first; empty: unknown.

        Only what can be verified: a server that has keys of several types must show the one we
        know, not the one it likes best.
        """
        found = [line for line in self._lines if line.marker != "@revoked" and line.covers(name)]
        offered: list[str] = []
        if any(line.marker == "@cert-authority" for line in found):
            offered += [f"{each}{_CERTIFICATE}" for group in _ALGORITHMS.values() for each in group]
        for line in found:
            if line.marker == "":
                offered += _ALGORITHMS.get(key_type(line.key), ())
        return tuple(dict.fromkeys(offered))

    def check(self, name: str, shown: bytes, now: float) -> None:
        """Accept the key or certificate `shown` by `name` at Unix time `now`, or raise.

        Raises HostKeyRefused, which says what was expected and where that is written.
        """
        if key_type(shown).endswith(_CERTIFICATE):
            self._check_certificate(name, shown, now)
            return
        self._refuse_revoked(name, shown)
        known = [line for line in self._lines if line.marker == "" and line.covers(name)]
        if any(line.key == shown for line in known):
            return
        raise HostKeyRefused(
            f"`{name}` shows the key {fingerprint(shown)}, "
            + (_expected(known) if known else "and none is known for it"),
            hint="if the host was made anew: `zsops hosts trust`; if not, somebody is in between",
        )

    def _refuse_revoked(self, name: str, key: bytes) -> None:
        for line in self._lines:
            if line.marker == "@revoked" and line.key == key and line.covers(name):
                raise HostKeyRefused(
                    f"`{name}` shows the key {fingerprint(key)}, which {line.where} revokes",
                    hint="give the host a new key",
                )

    def _check_certificate(self, name: str, shown: bytes, now: float) -> None:
        certificate = _certificate(name, shown)
        authority, key = _blob(certificate.signature_key()), _blob(certificate.public_key())
        self._refuse_revoked(name, authority)
        self._refuse_revoked(name, key)
        trusted = any(
            line.marker == "@cert-authority" and line.key == authority and line.covers(name)
            for line in self._lines
        )
        problem = _certificate_problem(certificate, name, now)
        if not trusted:
            problem = f"is signed by {fingerprint(authority)}, no authority for it"
        if problem is not None:
            raise HostKeyRefused(
                f"the certificate that `{name}` shows {problem}",
                hint="sign its key anew, or look at the `@cert-authority` lines",
            )


def parse(text: str, file: str) -> Iterable[KnownHost]:
    """The lines of one file. Raises KnownHostsInvalid at the first that means nothing."""
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{file}:{number}"
        marker: Marker = ""
        if words[0].startswith("@"):
            if words[0] == "@cert-authority":
                marker = "@cert-authority"
            elif words[0] == "@revoked":
                marker = "@revoked"
            else:
                raise KnownHostsInvalid(f"{where}: unknown marker `{words[0]}`")
            words = words[1:]
        if len(words) < 3:
            raise KnownHostsInvalid(
                f"{where}: not `names type key`", hint="a line of `ssh-keyscan` looks right"
            )
        yield KnownHost(where, marker, _names(words[0], where), _key(words[1], words[2], where))


def server_name(host: str, port: int) -> str:
    """How known_hosts names a server."""
    return host.lower() if port == _SSH_PORT else f"[{host.lower()}]:{port}"


def key_type(key: bytes) -> str:
    """The type a key in wire form says it has (RFC 4253, section 6.6)."""
    size = int.from_bytes(key[:4], "big")
    return key[4 : 4 + size].decode("ascii", "replace")


def fingerprint(key: bytes) -> str:
    """`SHA256:…`, as ssh-keygen prints it."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def pin_line(name: str, key: bytes) -> str:
    """The line that pins `key` for `name`."""
    return f"{name} {key_type(key)} {base64.b64encode(key).decode()}"


def plain_algorithms() -> tuple[str, ...]:
    """Every signature algorithm of plain keys, the best of each type."""
    return tuple(group[0] for group in _ALGORITHMS.values())


def _names(word: str, where: str) -> tuple[str, ...]:
    names = tuple(word.split(","))
    hashed = [each for each in names if each.startswith("|")]
    if not all(names) or (hashed and (len(names) > 1 or not _is_hash(names[0]))):
        raise KnownHostsInvalid(f"{where}: `{word}` names no hosts")
    return tuple(each if each.startswith("|") else each.lower() for each in names)


def _key(kind: str, encoded: str, where: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if key_type(key) != kind or kind.endswith(_CERTIFICATE):
        raise KnownHostsInvalid(f"{where}: not a key of type `{kind}`")
    if kind not in _ALGORITHMS and kind not in _NOT_SPOKEN:
        raise KnownHostsInvalid(f"{where}: unknown key type `{kind}`")
    return key


def _fits(pattern: str, name: str) -> bool:
    # Brackets mean themselves here (`[host]:port`), unlike in a shell.
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _hash_parts(word: str) -> tuple[bytes, bytes]:
    _, _, salt, digest = word.split("|")
    return base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)


def _is_hash(word: str) -> bool:
    try:
        return word.startswith(_HASHED) and len(_hash_parts(word)[1]) == 20
    except ValueError:  # binascii.Error is one
        return False


def _hash_fits(word: str, name: str) -> bool:
    salt, digest = _hash_parts(word)
    # The format fixes SHA-1 here; it hides names and protects no key.
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def _expected(known: list[KnownHost]) -> str:
    first = known[0]
    more = f" or {len(known) - 1} more" if len(known) > 1 else ""
    return f"expected {fingerprint(first.key)} ({first.where}){more}"


def _certificate(name: str, shown: bytes) -> SSHCertificate:
    line = f"{key_type(shown)} {base64.b64encode(shown).decode()}"
    try:
        found = load_ssh_public_identity(line.encode())
    except ValueError as error:
        raise HostKeyRefused(f"`{name}` shows an unreadable certificate: {error}") from error
    if not isinstance(found, SSHCertificate):
        raise HostKeyRefused(f"`{name}` shows a key where it announced a certificate")
    return found


def _certificate_problem(certificate: SSHCertificate, name: str, now: float) -> str | None:
    try:
        certificate.verify_cert_signature()
    except InvalidSignature:
        return "has a wrong signature"
    if certificate.type is not SSHCertificateType.HOST:
        return "is a user's, not a host's"
    if not certificate.valid_after <= now < certificate.valid_before:
        return "is not valid at this time"
    if certificate.critical_options:
        return "has options that are not understood"
    host = name.removeprefix("[").rpartition("]:")[0] or name
    principals = [each.decode("utf-8", "replace").lower() for each in certificate.valid_principals]
    if host not in principals:
        return f"is for {', '.join(principals) or 'nobody'}"
    return None


def _blob(key: SSHCertPublicKeyTypes) -> bytes:
    return base64.b64decode(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
