"""Loading a generation: what is handed to the engine, and which file is named when it is bad."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from server_trees import FILES

from zeroserve.config.load import ServeWish, load_config
from zeroserve.config.model import ServerConfig
from zeroserve.control.generation import is_digest, load_material
from zeroserve.errors import ZeroserveError
from zeroserve.tls.self_signed import DevCertificate


def config(**fields: object) -> ServerConfig:
    return load_config(ServeWish(**fields)).config  # type: ignore[arg-type]


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def refusal(settings: ServerConfig) -> ZeroserveError:
    before = open_descriptors()
    with pytest.raises(ZeroserveError) as caught:
        load_material(settings)
    assert open_descriptors() == before, "a descriptor leaked"
    return caught.value


def test_a_single_tar(packed: Path) -> None:
    material = load_material(config(site=str(packed)))
    spec = material.spec(7)
    assert os.pread(spec["site"]["fd"], 10, 0) == packed.read_bytes()[:10]
    digest = "sha256:" + hashlib.sha256(packed.read_bytes()).hexdigest()
    assert spec["release_digest"] == digest
    assert (spec["id"], spec["tls"], material.release) == (7, None, None)
    material.close()


def test_certificate_and_key_are_read_anew(
    packed: Path, tmp_path: Path, certificate: DevCertificate
) -> None:
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    settings = config(site=str(packed), tls_addr=(":1",), cert=str(cert), key=str(key))
    assert refusal(settings).code == "certificate-unreadable"
    cert.write_bytes(certificate.cert_pem)
    error = refusal(settings)
    assert (error.code, str(key) in error.message) == ("key-unreadable", True)
    key.write_bytes(b"\xff")
    assert refusal(settings).code == "key-bad"
    key.write_bytes(certificate.key_pem)
    material = load_material(settings)
    assert material.tls is not None
    pair = material.tls["certificates"]
    assert pair["key"]["pem"].encode() == certificate.key_pem
    assert (pair["kind"], pair["cert"]["path"]) == ("pair", str(cert))
    material.close()


def test_a_development_certificate_stays_the_same(packed: Path) -> None:
    settings = config(site=str(packed), tls_addr=(":1",), dev_cert=True)
    first, second = load_material(settings), load_material(settings)
    assert first.tls == second.tls
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "site-missing"),
        (lambda path: path.write_bytes(b""), "site-empty"),
        (lambda path: path.mkdir(), "site-is-directory"),
        (os.mkfifo, "site-unreadable"),
        (lambda path: path.symlink_to(path), "site-unreadable"),
    ],
)
def test_bad_sites(tmp_path: Path, make: Callable[[Path], object], code: str) -> None:
    path = tmp_path / "site"
    make(path)
    error = refusal(config(site=str(path)))
    assert error.code == code
    assert str(path) in error.message


def test_a_release(make_release: Callable[..., Path]) -> None:
    directory = make_release("r1", FILES)
    manifest = json.loads((directory / "manifest.json").read_text())
    material = load_material(config(release=str(directory), tls_addr=(":1",)))
    assert material.release == "000001-abcd"
    assert material.release_digest == manifest["release_digest"]
    assert material.site_digest == manifest["site_digest"]
    assert material.tls is not None
    material.close()
    plain = load_material(config(release=str(directory), addr=(":1",)))
    assert plain.tls is None
    plain.close()


def test_a_switched_symlink_switches_everything(
    make_release: Callable[..., Path], tmp_path: Path
) -> None:
    make_release("r1", FILES, release="000001-aaaa")
    make_release("r2", {"other": b"2"}, release="000002-bbbb")
    current = tmp_path / "current"
    current.symlink_to("r1")
    settings = config(release=str(current), tls_addr=(":1",))
    first = load_material(settings)
    (tmp_path / "next").symlink_to("r2")
    (tmp_path / "next").rename(current)
    second = load_material(settings)
    assert (first.release, second.release) == ("000001-aaaa", "000002-bbbb")
    for material in (first, second):
        content = Path(f"/proc/self/fd/{material.site_fd}").read_bytes()
        assert "sha256:" + hashlib.sha256(content).hexdigest() == material.release_digest
        material.close()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"size": 1}, "manifest-mismatch"),
        ({"site_digest": "sha256:" + "0" * 64}, "manifest-mismatch"),
        ({"site_digest": "x"}, "manifest-bad"),
        ({"v": 2}, "manifest-bad"),
        ({"release": None}, "manifest-bad"),
    ],
)
def test_bad_manifests(
    make_release: Callable[..., Path], fields: dict[str, object], code: str
) -> None:
    error = refusal(config(release=str(make_release("r1", FILES, **fields)), addr=(":1",)))
    assert error.code == code
    assert "manifest.json" in error.message


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("manifest.json", "manifest-missing"),
        ("site.tar", "site-missing"),
        ("tls/cert.pem", "certificate-unreadable"),
        ("tls/key.pem", "key-unreadable"),
    ],
)
def test_missing_files_of_a_release(
    make_release: Callable[..., Path], name: str, code: str
) -> None:
    directory = make_release("r1", FILES)
    (directory / name).unlink()
    error = refusal(config(release=str(directory), tls_addr=(":1",)))
    assert error.code == code
    assert name in error.message


def test_no_release_at_all(tmp_path: Path) -> None:
    assert refusal(config(release=str(tmp_path / "r"), addr=(":1",))).code == "release-missing"


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "A" * 64, "sha1:" + "a" * 64, "a" * 64]
)
def test_what_is_no_digest(text: str) -> None:
    assert not is_digest(text)
    assert is_digest("sha256:" + "0a" * 32)
