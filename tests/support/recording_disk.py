"""A real directory whose power can be cut: every change is also made on a tree in memory.

The tree knows which bytes and entries were synced; `lose_power` rebuilds the directory from those.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from zsops.host.disk import RealDisk
from zsops.transport.memory_disk import MemoryDisk


class RecordingDisk(RealDisk):
    """`Disk` on a directory that starts as `twin` is. Syncs are noted, not done: `twin` decides."""

    def __init__(self, root: Path, twin: MemoryDisk) -> None:
        super().__init__(root)
        self.twin = twin
        twin.materialise(root)

    def lose_power(self, mix: random.Random | None) -> None:
        """What was not synced is gone (all of it, or a random part)."""
        self.twin.power_loss(mix)
        shutil.rmtree(self.root)
        self.root.mkdir()
        self.twin.materialise(self.root)

    def write(self, path: str, data: bytes, mode: int) -> None:
        super().write(path, data, mode)
        self.twin.write(path, data, mode)

    def write_at(self, path: str, offset: int, data: bytes) -> None:
        super().write_at(path, offset, data)
        self.twin.write_at(path, offset, data)

    def allocate(self, path: str, size: int) -> None:
        super().allocate(path, size)
        self.twin.allocate(path, size)

    def chmod(self, path: str, mode: int) -> None:
        super().chmod(path, mode)
        self.twin.chmod(path, mode)

    def fsync(self, path: str) -> None:
        self.twin.fsync(path)

    def mkdir(self, path: str) -> None:
        super().mkdir(path)
        self.twin.mkdir(path)

    def symlink(self, target: str, path: str) -> None:
        super().symlink(target, path)
        self.twin.symlink(target, path)

    def rename(self, source: str, path: str) -> None:
        super().rename(source, path)
        self.twin.rename(source, path)

    def link(self, source: str, path: str) -> None:
        super().link(source, path)
        self.twin.link(source, path)

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self.twin.unlink(path)

    def rmdir(self, path: str) -> None:
        super().rmdir(path)
        self.twin.rmdir(path)
