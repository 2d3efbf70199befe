"""Trees and tars to serve: folders that are written and packed, and tars that others have made."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from zeroserve.pack.archive import PackOptions, pack

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "sites" / "hello"


def write_tree(directory: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def pack_tree(directory: Path, tar: Path) -> Path:
    """Pack a directory with our own packer; the file appears whole."""
    part = tar.with_name(tar.name + ".part")
    with part.open("wb") as file:
        pack(directory, file, PackOptions())
    return part.replace(tar)


def pack_files(files: Mapping[str, bytes], tar: Path) -> Path:
    """Pack exactly these files."""
    number = 0
    while (tree := tar.with_name(f"{tar.name}.tree{number}")).exists():
        number += 1
    return pack_tree(write_tree(tree, files), tar)


def foreign_tar(tar: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """A tar with exactly these members, in this order, under names that may be wrong."""
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return tar


def pattern(seed: str, size: int) -> bytes:
    """Bytes that differ everywhere and come out the same every time."""
    return hashlib.shake_256(seed.encode()).digest(size)
