"""Digested: a file of the tree with its digest, and the means to see whether it changed since."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from zeroserve.errors import PackRefused
from zeroserve.pack.content_type import content_type_of
from zeroserve.pack.walk import SourceFile

CHUNK_BYTES = 1 << 20
PLACEHOLDER = b"<zs-meta"


@dataclass(frozen=True, slots=True)
class Digested:
    """A file as it was when it was read. `identity` tells another state of it from this one."""

    file: SourceFile
    sha256: bytes
    has_placeholder: bool
    identity: tuple[int, ...]


def digest(file: SourceFile) -> Digested:
    """Read a file once. Raises `PackRefused` when it cannot be read, or changes meanwhile."""
    sha256 = hashlib.sha256()
    wants_placeholder = content_type_of(file.path).startswith("text/html")
    found = False
    tail = b""
    with opened(file) as source:
        state = identity(source)
        while chunk := source.read(CHUNK_BYTES):
            sha256.update(chunk)
            if wants_placeholder and not found:
                window = tail + chunk
                found = PLACEHOLDER in window
                tail = window[-len(PLACEHOLDER) + 1 :]
        # A file may have been replaced since the walk: its size is that of what was just read.
        size = source.tell()
        if identity(source) != state:
            raise changed(file)
    file = SourceFile(file.path, file.source, size)
    return Digested(file, sha256.digest(), found, state)


@contextmanager
def opened(file: SourceFile) -> Iterator[BinaryIO]:
    """The file, open for reading, unbuffered. Raises `PackRefused` (`pack-unreadable`)."""
    # O_NOFOLLOW: between the walk and now the file may have become a link.
    try:
        descriptor = os.open(file.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise PackRefused("pack-unreadable", f"`{file.source}`: {why}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        yield source


def identity(source: BinaryIO) -> tuple[int, ...]:
    """What changes when an open file is replaced or written to."""
    now = os.fstat(source.fileno())
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def changed(file: SourceFile) -> PackRefused:
    """The refusal of a file that is not what it was."""
    return PackRefused(
        "pack-changed",
        f"`{file.source}` changed while it was packed",
        hint="pack again when nothing writes there",
    )
