"""Codings: the coded forms of a file that may be sent in its place (RFC 9110 section 8.4.1).

Making a form needs a library of the extra `precompress`; only versions that it pins are the same
on every machine. gzip is made by libdeflate, whose output depends on its version alone: the
system's zlib differs from machine to machine (zlib, zlib-ng, patched ones), isal and zlib-ng choose
their matches by what the processor can do, and zopfli by the rounding of the C library's `log`.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from zeroserve.errors import PackRefused
from zeroserve.pack.member_index import ENCODING_BR, ENCODING_GZIP, ENCODING_ZSTD

CHUNK_BYTES = 256 << 10
# The best each library has: packing is done once, sending often.
BROTLI_QUALITY = 11
BROTLI_WINDOW_BITS = 22  # 4 MiB; larger ones help only files that should be split anyway
ZSTD_LEVEL = 19
ZSTD_WINDOW_BITS = 23  # 8 MiB is all that a decoder must accept over HTTP (RFC 9659)
DEFLATE_LEVEL = 12


@dataclass(frozen=True, slots=True)
class Coding:
    """One coding: its token in `Accept-Encoding`, its ending, its bit in the member index.

    `maker` is the package that makes forms; `reader` the one that unpacks them, None where the
    standard library does.
    """

    token: str
    suffix: str
    bit: int
    maker: str
    reader: str | None

    @property
    def can_make(self) -> bool:
        """Whether the package that makes forms is installed."""
        return find_spec(self.maker) is not None

    @property
    def can_read(self) -> bool:
        """Whether forms can be unpacked here."""
        return self.reader is None or find_spec(self.reader) is not None


CODINGS = (
    Coding("br", ".br", ENCODING_BR, "brotli", "brotli"),
    Coding("zstd", ".zst", ENCODING_ZSTD, "zstandard", "zstandard"),
    Coding("gzip", ".gz", ENCODING_GZIP, "deflate", None),
)


class Readable(Protocol):
    """What forms are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""


class NotCodedError(Exception):
    """The bytes are not what their name says: no whole stream of this coding."""


def library_missing(package: str, what: str) -> PackRefused:
    """The refusal when a package of the extra is not there. `what` could not be done for it."""
    return PackRefused(
        "precompress-missing",
        f"{what}: the package `{package}` is not installed",
        hint="`pip install 'zeroserve[precompress]'`",
    )


def encode(coding: Coding, content: bytes) -> bytes:
    """The coded form of `content`. Releases the GIL while it works."""
    library: Any = import_module(coding.maker)
    form: bytes
    if coding.bit == ENCODING_BR:
        form = library.compress(content, quality=BROTLI_QUALITY, lgwin=BROTLI_WINDOW_BITS)
    elif coding.bit == ENCODING_ZSTD:
        parameters = library.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL, source_size=len(content)
        )
        if parameters.window_log > ZSTD_WINDOW_BITS:
            parameters = library.ZstdCompressionParameters.from_level(
                ZSTD_LEVEL, source_size=len(content), window_log=ZSTD_WINDOW_BITS
            )
        form = library.ZstdCompressor(compression_params=parameters).compress(content)
    else:
        form = bytes(library.gzip_compress(content, DEFLATE_LEVEL))
    return form


def decode(coding: Coding, source: Readable) -> Iterator[bytes]:
    """The content of a coded form, in pieces of bounded size: a small file may unpack to anything.

    Raises `NotCodedError`.
    """
    if coding.bit == ENCODING_BR:
        return _decode_brotli(source)
    if coding.bit == ENCODING_ZSTD:
        return _decode_zstd(source)
    return _decode_gzip(source)


def _decode_gzip(source: Readable) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as stream:  # type: ignore[call-overload]  # it only reads
            while piece := stream.read(CHUNK_BYTES):
                yield piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise NotCodedError(str(error)) from None


def _decode_zstd(source: Readable) -> Iterator[bytes]:
    library: Any = import_module("zstandard")
    unpacker = library.ZstdDecompressor(max_window_size=1 << ZSTD_WINDOW_BITS)
    # A stream that is cut short gives no error of its own; the caller compares digests.
    try:
        with unpacker.stream_reader(source, read_across_frames=True, closefd=False) as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece
    except library.ZstdError as error:
        raise NotCodedError(str(error)) from None


def _decode_brotli(source: Readable) -> Iterator[bytes]:
    library: Any = import_module("brotli")
    unpacker = library.Decompressor()
    try:
        while not unpacker.is_finished():
            chunk = b""
            if unpacker.can_accept_more_data():
                chunk = source.read(CHUNK_BYTES)
                if not chunk:
                    raise NotCodedError("it is cut short")
            piece = unpacker.process(chunk, output_buffer_limit=CHUNK_BYTES)
            if piece:
                yield piece
    except library.error as error:
        raise NotCodedError(str(error)) from None
    if source.read(1):
        raise NotCodedError("there are bytes behind its end")
