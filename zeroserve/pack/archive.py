"""Archive: a folder in, a tar out, its member index first.

The same tree gives the same bytes on every machine.

Each file is read twice: once for its digest, which stands in the index at the front, and once for
its bytes. A file that changed in between is refused. Memory is bounded by one chunk and the list
of names, and by the largest files that are precompressed. What is made on the way (coded forms,
rules) waits in a temporary directory.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zeroserve.errors import PackRefused
from zeroserve.pack import ustar
from zeroserve.pack.content_type import content_type_of
from zeroserve.pack.digested import CHUNK_BYTES, Digested, changed, digest, identity, opened
from zeroserve.pack.member_index import (
    INDEX_PATH,
    Member,
    encode_index,
    index_size,
    site_digest_of,
    text_digest,
)
from zeroserve.pack.page_suffix import append_to_pages
from zeroserve.pack.precompress import Progress, code_files
from zeroserve.pack.script_files import SCRIPTS_DEFAULT, ScriptChoice, compile_script_files
from zeroserve.pack.site_rules import compile_site
from zeroserve.pack.walk import walk

EPOCH_MAX = 1 << 40  # some 34,000 years; beyond it is a unit mistaken


@dataclass(frozen=True, slots=True)
class PackOptions:
    """How to pack. `mtime` in seconds since 1970 is that of every member; 0 means no
    Last-Modified. `precompress` are tokens of `coding.CODINGS`; `immutable` lets fingerprinted
    names be cached for ever; `scripts` says how they are compiled; `page_suffix` is added to
    HTML pages, for a development server.
    """

    include_hidden: bool = False
    mtime: int = 0
    precompress: tuple[str, ...] = ()
    immutable: bool = True
    scripts: ScriptChoice = SCRIPTS_DEFAULT
    page_suffix: bytes = b""


@dataclass(frozen=True, slots=True)
class PackResult:
    """What was packed: `members` without the index, `size` in bytes with it.

    `notes` say what was done, `warnings` what the author may want to change.
    """

    release_digest: str
    site_digest: str
    members: int
    size: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


class _HashedOutput:
    """Writes on, and keeps the digest and the length of everything written."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._output.write(data)
        self.digest.update(data)
        self.size += len(data)


def epoch_from_environment(environment: dict[str, str] | os._Environ[str]) -> int:
    """The time of every member:

    `SOURCE_DATE_EPOCH`, else 0. Raises `PackRefused` when it is no number.
    """
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) > EPOCH_MAX:
        raise PackRefused(
            "pack-epoch",
            f"`SOURCE_DATE_EPOCH` is `{text}`, not a number of seconds since 1970",
            hint="unset it, or use for example `git log -1 --format=%ct`",
        )
    return int(text)


def pack(
    directory: Path,
    output: BinaryIO,
    options: PackOptions,
    progress: Progress | None = None,
    compiling: Progress | None = None,
) -> PackResult:
    """Write the archive of `directory` to `output`, which need not be seekable.

    `progress` is told how far precompressing is, in bytes of the files to do: done, and in all;
    `compiling` how many scripts are compiled, and of how many.
    Raises `PackRefused`; then what `output` got is no archive. Errors of `output` itself are not
    caught.
    """
    tree = walk(directory, include_hidden=options.include_hidden)
    with tempfile.TemporaryDirectory(prefix="zeroserve-pack-") as scratch:
        place = Path(scratch)
        site = compile_site(tree.files, place, immutable=options.immutable)
        scripts = compile_script_files(site.files, site.prefixes, place, options.scripts, compiling)
        files = append_to_pages(scripts.files, options.page_suffix, place)
        digested = [digest(file) for file in files]
        forms = code_files(digested, options.precompress, place, progress)
        digested = sorted(digested + forms.made, key=lambda one: one.file.path.encode())
        members = _place(digested, forms.encodings, options.mtime)
        sink = _write(digested, members, options.mtime, output)
    site_digest = site_digest_of((member.path, member.sha256) for member in members)
    return PackResult(
        release_digest=text_digest(sink.digest.digest()),
        site_digest=text_digest(site_digest),
        members=len(members),
        size=sink.size,
        warnings=(*tree.warnings, *site.warnings, *scripts.warnings, *forms.warnings),
        notes=scripts.notes,
    )


def _write(
    digested: list[Digested], members: list[Member], mtime: int, output: BinaryIO
) -> _HashedOutput:
    index = encode_index(members)
    sink = _HashedOutput(output)
    sink.write(ustar.header_bytes(INDEX_PATH, len(index), mtime))
    sink.write(index + bytes(ustar.padding(len(index))))
    for one, member in zip(digested, members, strict=True):
        sink.write(ustar.header_bytes(member.path, member.size, member.mtime))
        assert sink.size == member.offset, member
        _copy(one, sink)
    sink.write(ustar.END_OF_ARCHIVE)
    return sink


@contextmanager
def atomic_output(destination: Path) -> Iterator[BinaryIO]:
    """A file that appears at `destination` whole, synced, and only when the block ends without an
    error.

    Raises `PackRefused` (`pack-output`) for what the operating system refuses.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{destination.name[:200]}.", suffix=".new", dir=destination.parent
        )
    except OSError as error:
        raise _output_refused(destination, error) from error
    try:
        with os.fdopen(descriptor, "wb", buffering=CHUNK_BYTES) as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        Path(temporary).replace(destination)
        _sync_directory(destination.parent)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _output_refused(destination, error) from error
        raise


def _place(digested: list[Digested], encodings: dict[str, int], mtime: int) -> list[Member]:
    """Every member with the offset its data will have. They are sorted already."""
    paths = frozenset(one.file.path for one in digested)
    types = {path: content_type_of(path) for path in paths}
    size = index_size(paths, types.values())
    at = len(ustar.header_bytes(INDEX_PATH, size, mtime)) + size + ustar.padding(size)
    members = []
    for one in digested:
        path = one.file.path
        at += len(ustar.header_bytes(path, one.file.size, mtime))
        members.append(
            Member(
                path=path,
                offset=at,
                size=one.file.size,
                mtime=mtime,
                sha256=one.sha256,
                content_type=types[path],
                encodings=encodings.get(path, 0),
                has_placeholder=one.has_placeholder,
            )
        )
        at += one.file.size + ustar.padding(one.file.size)
    return members


def _copy(one: Digested, sink: _HashedOutput) -> None:
    size = 0
    with opened(one.file) as source:
        if identity(source) != one.identity:
            raise changed(one.file)
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            if size > one.file.size:
                break
            sink.write(chunk)
        if size != one.file.size or identity(source) != one.identity:
            raise changed(one.file)
    sink.write(bytes(ustar.padding(size)))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _output_refused(destination: Path, error: OSError) -> PackRefused:
    why = (error.strerror or str(error)).lower()
    return PackRefused("pack-output", f"`{destination}` cannot be written: {why}")
