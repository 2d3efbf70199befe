"""A file tree in memory that knows what would survive a power loss.

Every file has the bytes programs see and the bytes last synced; every directory the entries
programs see and those last synced. `power_loss` goes back to the synced ones, or to a seeded mix.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

_FREE_BYTES = 1 << 30


@dataclass(eq=False)
class _File:
    data: bytes = b""
    synced: bytes = b""
    mode: int = 0o640


@dataclass(eq=False)
class _Link:
    target: str


@dataclass(eq=False)
class _Dir:
    entries: dict[str, _Node] = field(default_factory=dict)
    synced: dict[str, _Node] = field(default_factory=dict)


_Node = _File | _Link | _Dir


class MemoryDisk:
    """`Disk` in memory. `full` refuses whatever would need new space, as a full disk does."""

    def __init__(self) -> None:
        self._root = _Dir()
        self.full = False

    # -- reading ---------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        node = self._find(path)
        return node.data if isinstance(node, _File) else None

    def read_at(self, path: str, offset: int, size: int) -> bytes:
        return (self.read(path) or b"")[offset : offset + size]

    def read_link(self, path: str) -> str | None:
        node = self._find(path, follow_last=False)
        return node.target if isinstance(node, _Link) else None

    def list_dir(self, path: str) -> tuple[str, ...]:
        node = self._find(path, follow_last=False)
        return tuple(sorted(node.entries)) if isinstance(node, _Dir) else ()

    def size(self, path: str) -> int | None:
        node = self._find(path, follow_last=False)
        return len(node.data) if isinstance(node, _File) else None

    def sha256(self, path: str) -> str | None:
        data = self.read(path)
        return None if data is None else hashlib.sha256(data).hexdigest()

    def free_bytes(self) -> int:
        return 0 if self.full else _FREE_BYTES

    # -- changing --------------------------------------------------------------------

    def write(self, path: str, data: bytes, mode: int) -> None:
        home, name = self._home(path)
        node = home.entries.get(name)
        if not isinstance(node, _File):
            self._need_space()
            node = home.entries[name] = _File(mode=mode)
        if len(data) > len(node.data):
            self._need_space()
        node.data = data

    def write_at(self, path: str, offset: int, data: bytes) -> None:
        home, name = self._home(path)
        node = home.entries.get(name)
        if not isinstance(node, _File):
            self._need_space()
            node = home.entries[name] = _File()
        if offset + len(data) > len(node.data):
            self._need_space()
        before = node.data.ljust(offset, b"\0")
        node.data = before[:offset] + data + before[offset + len(data) :]

    def allocate(self, path: str, size: int) -> None:
        self.write_at(path, 0, b"")
        node = self._find(path)
        assert isinstance(node, _File)
        if size > len(node.data):
            self._need_space()
            node.data = node.data.ljust(size, b"\0")

    def chmod(self, path: str, mode: int) -> None:
        node = self._find(path)
        if not isinstance(node, _File):
            raise self._error(errno.ENOENT, path)
        node.mode = mode

    def fsync(self, path: str) -> None:
        node = self._find(path)
        if isinstance(node, _File):
            node.synced = node.data
        elif isinstance(node, _Dir):
            node.synced = dict(node.entries)

    def mkdir(self, path: str) -> None:
        home, name = self._home(path)
        if name in home.entries:
            return
        self._need_space()
        home.entries[name] = _Dir()

    def symlink(self, target: str, path: str) -> None:
        self._add(path, _Link(target))

    def link(self, source: str, path: str) -> None:
        node = self._find(source, follow_last=False)
        if not isinstance(node, _File):
            raise self._error(errno.ENOENT, source)
        self._add(path, node)

    def rename(self, source: str, path: str) -> None:
        from_home, from_name = self._home(source)
        to_home, to_name = self._home(path)
        if from_name not in from_home.entries:
            raise self._error(errno.ENOENT, source)
        target = to_home.entries.get(to_name)
        if isinstance(target, _Dir) and target.entries:
            raise self._error(errno.ENOTEMPTY, path)
        to_home.entries[to_name] = from_home.entries.pop(from_name)

    def unlink(self, path: str) -> None:
        if self._find(path, follow_last=False) is None:
            return
        home, name = self._home(path)
        if isinstance(home.entries.get(name), _Dir):
            raise self._error(errno.EISDIR, path)
        home.entries.pop(name, None)

    def rmdir(self, path: str) -> None:
        node = self._find(path, follow_last=False)
        if node is None:
            return
        home, name = self._home(path)
        if not isinstance(node, _Dir):
            raise self._error(errno.ENOTDIR, path)
        if node.entries:
            raise self._error(errno.ENOTEMPTY, path)
        del home.entries[name]

    # -- power -----------------------------------------------------------------------

    def power_loss(self, mix: random.Random | None = None) -> None:
        """Lose what was not synced: all of it, or with `mix` a part, and files torn in the middle.

        What a disk wrote by itself before the power went is anybody's guess, hence the mix.
        """
        seen: set[int] = set()
        self._lose(self._root, mix, seen)

    def _lose(self, node: _Node, mix: random.Random | None, seen: set[int]) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, _File):
            node.data = _torn(node, mix)
            node.synced = node.data
        elif isinstance(node, _Dir):
            for name in sorted(set(node.entries) | set(node.synced)):
                if mix is None or mix.random() < 0.5:  # this entry's change is lost
                    if name in node.synced:
                        node.entries[name] = node.synced[name]
                    else:
                        del node.entries[name]
            node.synced = dict(node.entries)
            for child in list(node.entries.values()):
                self._lose(child, mix, seen)

    def materialise(self, root: Path) -> None:
        """Write what programs see below a real, empty directory; hard links stay hard links."""
        places: dict[int, Path] = {}
        _write_out(self._root, root, places)

    # -- walking ---------------------------------------------------------------------

    def _find(self, path: str, *, follow_last: bool = True) -> _Node | None:
        node: _Node | None = self._root
        base = self._root
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for index, part in enumerate(parts):
            if not isinstance(node, _Dir):
                return None
            base, node = node, node.entries.get(part)
            if isinstance(node, _Link) and (follow_last or index + 1 < len(parts)):
                # Ours are all relative and lead downwards.
                node = self._below(base, node.target)
        return node

    @staticmethod
    def _below(base: _Dir, path: str) -> _Node | None:
        node: _Node | None = base
        for part in path.split("/"):
            node = node.entries.get(part) if isinstance(node, _Dir) else None
        return node

    def _home(self, path: str) -> tuple[_Dir, str]:
        folder, _, name = path.rpartition("/")
        node = self._find(folder)
        if not isinstance(node, _Dir):
            raise self._error(errno.ENOENT, path)
        return node, name

    def _add(self, path: str, node: _Node) -> None:
        home, name = self._home(path)
        if name in home.entries:
            raise self._error(errno.EEXIST, path)
        self._need_space()
        home.entries[name] = node

    def _need_space(self) -> None:
        if self.full:
            raise self._error(errno.ENOSPC, "")

    @staticmethod
    def _error(number: int, path: str) -> OSError:
        return OSError(number, os.strerror(number), path)


def _torn(file: _File, mix: random.Random | None) -> bytes:
    if mix is None or file.data == file.synced:
        return file.synced
    cut = mix.randrange(len(file.data) + 1)
    return (file.data[:cut] + file.synced[cut:])[: max(len(file.synced), cut)]


def _write_out(node: _Node, place: Path, places: dict[int, Path]) -> None:
    if isinstance(node, _Dir):
        place.mkdir(exist_ok=True)
        for name, child in node.entries.items():
            _write_out(child, place / name, places)
    elif isinstance(node, _Link):
        place.symlink_to(node.target)
    elif id(node) in places:
        place.hardlink_to(places[id(node)])
    else:
        place.write_bytes(node.data)
        place.chmod(node.mode)
        places[id(node)] = place
