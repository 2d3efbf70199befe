"""What a host does with its keys by real tools: age identities, opening, reading certificates.

Imports are lazy: most requests of a host need none of it.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from zsops.errors import MaterialRefused
from zsops.host.messages import CertificateFacts, EchFacts
from zsops.host.world import PublicFacts


def make_identity() -> bytes:
    """A fresh age identity, as `age-keygen` writes one."""
    from pyrage import x25519

    made = x25519.Identity.generate()
    return f"# public key: {made.to_public()}\n{made}\n".encode()


def recipients_of(identity: bytes, *, ssh_key: Path | None) -> tuple[str, ...]:
    """The public halves: of the host's own identity, then of its SSH key if we may read that."""
    found = [str(each.to_public()) for each in _own(identity)]
    if ssh_key is not None and _ssh(ssh_key):
        try:
            words = Path(f"{ssh_key}.pub").read_text().split()
        except OSError:
            words = []
        if words[:1] == ["ssh-ed25519"]:
            found.append(" ".join(words[:2]))
    return tuple(found)


def unseal(identity: bytes, sealed: bytes, *, ssh_key: Path | None) -> bytes:
    """Decrypt with whichever identity fits; `MaterialRefused` when none does."""
    import pyrage

    identities = [*_own(identity), *(() if ssh_key is None else _ssh(ssh_key))]
    try:
        plain: bytes = pyrage.decrypt(sealed, identities)
    except pyrage.DecryptError as error:
        raise MaterialRefused(
            f"this host cannot open what was encrypted for it: {str(error).lower()}",
            hint="encrypt it to what `zsops hosts recipients` shows",
        ) from None
    return plain


def public_facts(
    cert_pem: bytes,
    ech_pems: tuple[bytes, ...],
    further: tuple[tuple[str, bytes], ...] = (),
) -> PublicFacts:
    """What certificates and ECH keys say; nothing of what cannot be read (the check says why).

    `further`: name and chain of certificates beside the first.
    """
    from zeroserve.errors import TlsRefused
    from zeroserve.tls.ech import read_bundle

    ech = []
    for pem in ech_pems:
        try:
            for key in read_bundle(pem, "ech"):
                config = base64.b64encode(key.config).decode()
                ech.append(EchFacts(key.config_id, key.public_name, config))
        except TlsRefused:
            continue
    more = (_certificate(name, pem) for name, pem in further)
    return PublicFacts(
        _certificate("", cert_pem), tuple(each for each in more if each is not None), tuple(ech)
    )


def _certificate(name: str, pem: bytes) -> CertificateFacts | None:
    from zeroserve.tls.certificates import read_facts

    try:
        facts = read_facts(pem)
    except ValueError:
        return None
    return CertificateFacts(
        leaf=facts.leaf,
        names=facts.names,
        issuer=facts.issuer,
        not_before=facts.not_before.isoformat(),
        not_after=facts.not_after.isoformat(),
        name=name,
    )


def _own(identity: bytes) -> list[Any]:
    from pyrage import x25519

    lines = identity.decode("ascii", "replace").splitlines()
    return [
        x25519.Identity.from_str(line.strip())
        for line in lines
        if line.startswith("AGE-SECRET-KEY-1")
    ]


def _ssh(key: Path) -> list[Any]:
    import pyrage

    try:
        return [pyrage.ssh.Identity.from_buffer(key.read_bytes())]
    except (OSError, pyrage.IdentityError):
        return []  # not ours to read, or of another kind: there is the host's own identity
