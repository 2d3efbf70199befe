"""age files from anywhere: opened, refused in words, and never a crash."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from zsops.errors import MaterialRefused
from zsops.host import seal
from zsops.material import age_files
from zsops.material.errors import MaterialError

IDENTITY = seal.make_identity()
(RECIPIENT,) = seal.recipients_of(IDENTITY, ssh_key=None)


def _ssh_key(place: Path) -> tuple[Path, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    file = place / "ssh_host_ed25519_key"
    file.write_bytes(private)
    file.with_name(f"{file.name}.pub").write_bytes(public + b" root@web1\n")
    return file, public.decode()


def test_a_host_opens_by_its_own_identity_and_by_its_ssh_key(tmp_path: Path) -> None:
    file, public = _ssh_key(tmp_path)
    assert seal.recipients_of(IDENTITY, ssh_key=file) == (RECIPIENT, public)
    for recipient in (RECIPIENT, public):
        sealed = age_files.seal(b"key", [recipient])
        assert seal.unseal(IDENTITY, sealed, ssh_key=file) == b"key"
    with pytest.raises(MaterialRefused, match="cannot open"):
        seal.unseal(IDENTITY, age_files.seal(b"key", [public]), ssh_key=None)


def test_what_is_for_an_ssh_key_is_known_without_opening_it(tmp_path: Path) -> None:
    _, public = _ssh_key(tmp_path)
    sealed = age_files.seal(b"key", [public])
    assert age_files.is_for(sealed, [RECIPIENT, public])
    assert not age_files.is_for(sealed, [RECIPIENT])
    assert not age_files.is_for(age_files.seal(b"key", [RECIPIENT]), [RECIPIENT, public])


def test_a_public_key_that_is_none_is_named() -> None:
    for text in ("age1nothing", "ssh-ed25519 AAAA", "ssh-rsa"):
        with pytest.raises(MaterialError, match="no public key"):
            age_files.seal(b"key", [text])


@settings(deadline=None)
@given(
    noise=st.binary(max_size=200),
    recipient=st.sampled_from(["ssh-ed25519 ", "ssh-ed25519 ?", "ssh-ed25519 AAAA x", RECIPIENT]),
)
def test_noise_is_refused_and_never_a_crash(noise: bytes, recipient: str) -> None:
    for raw in (
        noise,
        b"age-encryption.org/v1\n" + noise,
        b"age-encryption.org/v1\n-> ssh-ed25519 \n",
    ):
        age_files.is_for(raw, [recipient])
        with contextlib.suppress(MaterialRefused):
            seal.unseal(IDENTITY, raw, ssh_key=None)
    with contextlib.suppress(pyrage.DecryptError):
        seal.public_facts(noise, (noise,))
