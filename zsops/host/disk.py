"""The real disk: file primitives below one root directory. Nothing here decides anything."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path


class RealDisk:
    """`Disk` on the directory `root`, which is made when absent (0750)."""

    def __init__(self, root: Path) -> None:
        """`root`: absolute; everything the host keeps lies below it."""
        self.root = root
        root.mkdir(mode=0o750, parents=True, exist_ok=True)

    def at(self, path: str) -> Path:
        """The real place of a relative path."""
        return self.root / path

    def read(self, path: str) -> bytes | None:
        try:
            return self.at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def read_at(self, path: str, offset: int, size: int) -> bytes:
        with self.at(path).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def read_link(self, path: str) -> str | None:
        try:
            return str(self.at(path).readlink())
        except OSError:
            return None

    def list_dir(self, path: str) -> tuple[str, ...]:
        # A link to a directory is one entry, not a directory: nothing below it is ours to walk.
        if self.at(path).is_symlink():
            return ()
        try:
            return tuple(sorted(entry.name for entry in self.at(path).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def size(self, path: str) -> int | None:
        place = self.at(path)
        return place.stat().st_size if place.is_file() and not place.is_symlink() else None

    def sha256(self, path: str) -> str | None:
        try:
            with self.at(path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def free_bytes(self) -> int:
        facts = os.statvfs(self.root)
        return facts.f_bavail * facts.f_frsize

    def write(self, path: str, data: bytes, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._put(os.open(self.at(path), flags, mode), 0, data)

    def write_at(self, path: str, offset: int, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._put(os.open(self.at(path), flags, 0o640), offset, data)

    @staticmethod
    def _put(handle: int, offset: int, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                written = os.pwrite(handle, rest, offset)
                rest, offset = rest[written:], offset + written
        finally:
            os.close(handle)

    def allocate(self, path: str, size: int) -> None:
        handle = os.open(self.at(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(handle, 0, size)
        finally:
            os.close(handle)

    def chmod(self, path: str, mode: int) -> None:
        self.at(path).chmod(mode)

    def fsync(self, path: str) -> None:
        try:
            handle = os.open(self.at(path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # a log that has no line yet
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def mkdir(self, path: str) -> None:
        self.at(path).mkdir(mode=0o750, exist_ok=True)

    def symlink(self, target: str, path: str) -> None:
        self.at(path).symlink_to(target)

    def rename(self, source: str, path: str) -> None:
        self.at(source).rename(self.at(path))

    def link(self, source: str, path: str) -> None:
        self.at(path).hardlink_to(self.at(source))

    def unlink(self, path: str) -> None:
        self.at(path).unlink(missing_ok=True)

    def rmdir(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.at(path).rmdir()
