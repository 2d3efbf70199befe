"""Wheels of this very tree under any version number: the same engine, another name for it."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import zeroserve

ROOT = Path(zeroserve.__file__).parent.parent
_PACKAGES = ("zeroserve", "zsops")
_LEFT_OUT = {"__pycache__", "engine"}


def make_wheel(folder: Path, version: str, *, broken: bool = False) -> Path:
    """A wheel that says `version`; a `broken` one has a daemon that ends at its start."""
    path = folder / f"zeroserve-{version}-py3-none-linux_x86_64.whl"
    info = f"zeroserve-{version}.dist-info"
    built = importlib.metadata.distribution("zeroserve")
    metadata = (built.read_text("METADATA") or "").replace(
        f"Version: {built.version}", f"Version: {version}", 1
    )
    record = []
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive:

        def put(name: str, content: bytes) -> None:
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(content)}")

        for package in _PACKAGES:
            for file in sorted((ROOT / package).rglob("*")):
                name = file.relative_to(ROOT)
                if file.is_file() and not _LEFT_OUT & set(name.parts):
                    put(str(name), _content(file, built.version, version, broken=broken))
        put(f"{info}/METADATA", metadata.encode())
        put(f"{info}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n")
        put(f"{info}/entry_points.txt", (built.read_text("entry_points.txt") or "").encode())
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return path


def _content(file: Path, old: str, new: str, *, broken: bool) -> bytes:
    content = file.read_bytes()
    if file == ROOT / "zeroserve" / "__init__.py":
        return content.replace(f'"{old}"'.encode(), f'"{new}"'.encode())
    if broken and file == ROOT / "zeroserve" / "control" / "daemon.py":
        return content.replace(
            b"    try:\n", b'    raise SystemExit("error[broken]: by a test")\n    try:\n', 1
        )
    return content
