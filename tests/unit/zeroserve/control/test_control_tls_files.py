"""TLS files: what of a directory, a pair or a release reaches the engine."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from server_trees import FILES

from zeroserve.config.load import ServeWish, load_config
from zeroserve.config.model import ServerConfig
from zeroserve.control.generation import load_material
from zeroserve.control.tls_files import load_tls
from zeroserve.errors import TlsRefused
from zeroserve.tls.self_signed import DevCertificate

PEM = b"-----BEGIN X-----\nAAAA\n-----END X-----\n"
STAPLE = b"\x30\x03\x0a\x01\x00"


def config(**fields: object) -> ServerConfig:
    wish = ServeWish(site="a.tar", tls_addr=(":1",), **fields)  # type: ignore[arg-type]
    return load_config(wish).config


def test_a_directory_gives_its_pem_files_in_order(tmp_path: Path) -> None:
    outside = tmp_path / "outside.pem"
    outside.write_bytes(PEM)
    place = tmp_path / "certs"
    (place / "below").mkdir(parents=True)
    (place / "b.pem").write_bytes("ä comment\n".encode() + PEM)
    (place / "b.ocsp").write_bytes(STAPLE)
    (place / "a.key").write_bytes(PEM)
    (place / "c.der").write_bytes(b"\x30\x82\xff")
    (place / ".hidden.pem").write_bytes(PEM)
    (place / "z-link").symlink_to(outside)
    (place / "y-broken").symlink_to(tmp_path / "nothing")
    loaded = load_tls(config(cert_dir=str(place)), None)
    assert loaded is not None
    spec = loaded["certificates"]
    assert (spec["kind"], spec["path"]) == ("directory", str(place))
    assert [one["path"] for one in spec["files"]] == [
        f"{place}/{name}" for name in ("a.key", "b.pem", "z-link")
    ]
    assert [base64.b64decode(one.get("ocsp", "")) for one in spec["files"]] == [b"", STAPLE, b""]
    assert "-----BEGIN X-----" in spec["files"][1]["pem"]


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(TlsRefused) as caught:
        load_tls(config(cert_dir=str(tmp_path / "missing")), None)
    assert caught.value.code == "certificate-unreadable"
    assert "missing" in caught.value.message


def test_a_pair_takes_the_response_beside_it(tmp_path: Path) -> None:
    (tmp_path / "site.crt").write_bytes(PEM)
    (tmp_path / "site.key").write_bytes(PEM)
    (tmp_path / "site.ocsp").write_bytes(STAPLE)
    cert, key = str(tmp_path / "site.crt"), str(tmp_path / "site.key")
    loaded = load_tls(config(cert=cert, key=key), None)
    assert loaded is not None
    assert base64.b64decode(loaded["certificates"]["cert"]["ocsp"]) == STAPLE
    assert "ocsp" not in loaded["certificates"]["key"]


def test_a_release_has_one_pair_or_files_of_any_names(
    make_release: Callable[..., Path], certificate: DevCertificate
) -> None:
    directory = make_release("r1", FILES)
    settings = load_config(ServeWish(release=str(directory), tls_addr=(":1",))).config

    def kind() -> object:
        material = load_material(settings)
        material.close()
        assert material.tls is not None
        return material.tls["certificates"]["kind"]

    assert kind() == "pair"
    (directory / "tls/cert.ocsp").write_bytes(STAPLE)
    assert kind() == "pair"
    (directory / "tls/other.pem").write_bytes(certificate.cert_pem)
    assert kind() == "directory"
