"""Release directories as a deployment leaves them: a site, its certificate, and a manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from support.certs import Certificate
from support.trees import pack_files
from zeroserve.pack.member_index import read_index


def stage(directory: Path, number: int, files: Mapping[str, bytes]) -> Path:
    """Write a release directory, which is made."""
    directory.mkdir(parents=True)
    tar = pack_files(files, directory / "site.tar")
    shutil.rmtree(directory / "site.tar.tree0")
    Certificate.make(directory / "tls")
    write_manifest(directory, number, site_digest=read_index(tar).site_digest)
    return directory


def write_manifest(directory: Path, number: int, **other: object) -> None:
    """Write the manifest of what lies there; `other` fields are stated instead of the truth."""
    data = (directory / "site.tar").read_bytes()
    manifest = {
        "v": 1,
        "release": f"{number:06}-{hashlib.sha256(data).hexdigest()[:4]}",
        "release_digest": "sha256:" + hashlib.sha256(data).hexdigest(),
        "site_digest": "sha256:" + "0" * 64,
        "size": len(data),
        "secrets_digest": "sha256:" + "0" * 64,
        "created": "2026-01-01T00:00:00Z",
    }
    (directory / "manifest.json").write_text(json.dumps({**manifest, **other}))
