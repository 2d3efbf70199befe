"""An instance's own secrets: its certificate and the word in its probe path.

Files are replaced, never rewritten: releases hold hard links to the ones they were built with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta

from zsops.errors import ProtocolMismatch
from zsops.frozen import frozen
from zsops.host.codec import from_json, to_json
from zsops.host.effects import (
    MakeCertificate,
    MakeSecret,
    ReadFile,
    Steps,
    WallTime,
    do,
    write_durably,
)
from zsops.host.layout import InstancePaths
from zsops.host.messages import CertificateFacts

# A certificate made here is valid for 90 days; a release must not go out with a nearly spent one.
_RENEW_AFTER = timedelta(days=60)


@frozen
class Made:
    """`made.json`: what the certificate was made for, and when; what it says."""

    names: tuple[str, ...]
    at: str
    certificate: CertificateFacts | None = None


def refresh(paths: InstancePaths, names: tuple[str, ...]) -> Steps[bool]:
    """Make a certificate for `names` unless a fresh one is there; true when one was made."""
    raw = yield from do(ReadFile(f"{paths.secrets}/made.json"))
    at = yield from do(WallTime())
    if raw is not None and _is_fresh(raw, names, at):
        return False
    pair = yield from do(MakeCertificate(names))
    yield from write_durably(f"{paths.secrets}/key.pem", pair.key_pem, 0o600)
    yield from write_durably(f"{paths.secrets}/cert.pem", pair.cert_pem, 0o440)
    # Last: a crash in between makes both again, so certificate and key always belong together.
    made = json.dumps(to_json(Made(names, at, pair.facts))).encode()
    yield from write_durably(f"{paths.secrets}/made.json", made)
    return True


def facts(paths: InstancePaths, cert: bytes) -> Steps[CertificateFacts | None]:
    """What `cert` says when it is the one that was made here, without a library to read it by."""
    raw = yield from do(ReadFile(f"{paths.secrets}/made.json"))
    try:
        made = None if raw is None else from_json(Made, json.loads(raw)).certificate
        leaf = hashlib.sha256(base64.b64decode(b"".join(cert.splitlines()[1:-1]))).hexdigest()
    except (ValueError, ProtocolMismatch):
        return None
    return made if made is not None and made.leaf == leaf else None


def _is_fresh(raw: bytes, names: tuple[str, ...], at: str) -> bool:
    try:
        made = from_json(Made, json.loads(raw))
        age = _time(at) - _time(made.at)
    except (ValueError, ProtocolMismatch):
        return False
    return made.names == names and age < _RENEW_AFTER


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def make_probe_secret(paths: InstancePaths) -> Steps[None]:
    """Make the probe path's word once; the daemon reads it at start."""
    if (yield from do(ReadFile(paths.probe_secret))) is None:
        word = yield from do(MakeSecret())
        yield from write_durably(paths.probe_secret, word.encode(), 0o600)
