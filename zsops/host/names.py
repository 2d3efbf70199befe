"""Which certificate is for which name, where a release has several."""

from __future__ import annotations

from collections.abc import Sequence

from zsops.host.messages import CertificateFacts


def covers(facts: CertificateFacts, host: str) -> bool:
    """Whether a client that asked for `host` takes it (RFC 6125: a star is one whole label)."""
    parent = host.partition(".")[2]
    return host in facts.names or (bool(parent) and f"*.{parent}" in facts.names)


def covering(certificates: Sequence[CertificateFacts], host: str) -> tuple[CertificateFacts, ...]:
    """Those that a server may show to who asks for `host`; a single one is shown to everybody."""
    if len(certificates) < 2:
        return tuple(certificates)
    return tuple(each for each in certificates if covers(each, host))


def own_name(certificates: Sequence[CertificateFacts], of: CertificateFacts) -> str | None:
    """A name by which only this one is shown; None when others are for each of its names."""
    for name in of.names:
        asked = name.replace("*", "www", 1)
        if covering(certificates, asked) == (of,):
            return asked
    return None
