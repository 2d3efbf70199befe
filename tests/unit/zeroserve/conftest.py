"""Fixtures of the control plane's tests: small trees, archives, releases."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_trees import FILES, pack_bytes, write_tree

from zeroserve.tls.self_signed import DevCertificate, make_dev_certificate


@pytest.fixture(scope="session")
def certificate() -> DevCertificate:
    return make_dev_certificate(["localhost", "127.0.0.1"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree", FILES)


@pytest.fixture
def packed(tree: Path, tmp_path: Path) -> Path:
    """A good archive of `FILES`."""
    site = tmp_path / "site.tar"
    site.write_bytes(pack_bytes(tree)[0])
    return site


@pytest.fixture
def make_release(tmp_path: Path, certificate: DevCertificate) -> Callable[..., Path]:
    """Makes release directories from files; keyword arguments override manifest fields."""

    def make(name: str, files: dict[str, bytes], **fields: object) -> Path:
        directory = tmp_path / name
        (directory / "tls").mkdir(parents=True)
        data, result = pack_bytes(write_tree(tmp_path / f"{name}-tree", files))
        (directory / "site.tar").write_bytes(data)
        (directory / "tls/cert.pem").write_bytes(certificate.cert_pem)
        (directory / "tls/key.pem").write_bytes(certificate.key_pem)
        manifest: dict[str, object] = {
            "v": 1,
            "release": "000001-abcd",
            "release_digest": "sha256:" + hashlib.sha256(data).hexdigest(),
            "site_digest": result.site_digest,
            "size": len(data),
        }
        (directory / "manifest.json").write_text(json.dumps(manifest | fields))
        return directory

    return make


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets, whatever `tmp_path` is."""
    directory = Path(tempfile.mkdtemp(prefix="zs-"))
    yield directory
    shutil.rmtree(directory)
