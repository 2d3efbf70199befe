"""Looks for key bytes, in whatever form, in everything that a deployment says, writes or starts."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_LINE = 48  # characters of a PEM line that nobody has by chance
_SPACES = re.compile(rb"(?:\s|\\n|\\r)+")


@dataclass(frozen=True)
class Secret:
    """A key: its PEM text, and the binary forms it may be found in."""

    name: str
    pem: bytes
    binary: tuple[bytes, ...]

    def forms_in(self, data: bytes) -> set[str]:
        """The forms of the key that `data` holds."""
        found = set()
        lines = [line for line in self.pem.splitlines() if b"-----" not in line]
        if any(line[:_LINE] in data for line in lines if len(line) >= _LINE // 2):
            found.add("pem")
        dense = _SPACES.sub(b"", data)
        if any(binary in data for binary in self.binary):
            found.add("der")
        # The PEM text may be wrapped once more, too.
        for binary in (*self.binary, *lines):
            if any(each in dense for each in _base64_forms(binary)):
                found.add("base64")
            if binary.hex().encode() in dense.lower():
                found.add("hex")
        return found


def _base64_forms(binary: bytes) -> Iterator[bytes]:
    """What base64 makes of it wherever it begins; without the characters its neighbours decide."""
    for ahead in range(3):
        text = base64.b64encode(bytes(ahead) + binary)
        inner = text[4 if ahead else 0 : -4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def leaks(secrets: list[Secret], where: dict[str, bytes]) -> list[str]:
    """`place: key as form` for everything that is found."""
    return [
        f"{place}: {secret.name} as {form}"
        for place, data in where.items()
        for secret in secrets
        for form in sorted(secret.forms_in(data))
    ]


def files_below(root: Path) -> dict[str, bytes]:
    """Every file, by its path from `root`."""
    return {
        str(each.relative_to(root)): each.read_bytes()
        for each in sorted(root.rglob("*"))
        if each.is_file() and not each.is_symlink()
    }


@dataclass
class ProcessWatch:
    """Collects arguments and environments of all processes whose environment names `mark`."""

    mark: bytes
    seen: dict[str, bytes] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(30)

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    environ = (place / "environ").read_bytes()
                    if self.mark in environ:
                        argv = (place / "cmdline").read_bytes()
                        self.seen[f"process {place.name} {argv[:60]!r}"] = argv + b"\n" + environ
                except OSError:
                    continue  # it ended meanwhile, or is not ours
