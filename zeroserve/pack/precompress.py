"""Precompress: which coded forms a site has. Some are made here, some were in the tree.

A form is linked to its file only when it was made from the very bytes that are packed, or was
unpacked and has their digest: a server that sends `x.gz` for `x` must not send something else.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from zeroserve.pack.coding import (
    CODINGS,
    Coding,
    NotCodedError,
    decode,
    encode,
    library_missing,
)
from zeroserve.pack.content_type import content_type_of
from zeroserve.pack.digested import Digested, changed, digest, opened
from zeroserve.pack.walk import SourceFile

# Below it head and body fit in one packet anyway, coded or not.
FORM_BYTES_MIN = 512
# A file is coded in memory, and at about half a megabyte a second.
FORM_BYTES_MAX = 64 << 20
# A form that saves less than 5 % costs the client more than it saves the wire.
FORM_SHARE_MAX = 0.95
# How many files are handed to the threads at a time: bounds what waits, not what runs.
BATCH_FILES = 64
COMPRESSIBLE = frozenset(
    {
        "application/geo+json",
        "application/javascript",
        "application/json",
        "application/json5",
        "application/jsonl",
        "application/rtf",
        "application/sql",
        "application/vnd.apple.mpegurl",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-pem-file",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
    }
)

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Forms:
    """What was made, and which forms each path has, as bits of the member index."""

    made: list[Digested] = field(default_factory=list)
    encodings: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def link(self, path: str, coding: Coding) -> None:
        """Say that `path` can be sent in this coding."""
        self.encodings[path] = self.encodings.get(path, 0) | coding.bit


def is_compressible(path: str) -> bool:
    """Whether files of this type shrink: text, and formats that do not compress by themselves."""
    content_type = content_type_of(path).partition(";")[0]
    return (
        content_type.startswith("text/")
        or content_type.endswith(("+xml", "+json"))
        or content_type in COMPRESSIBLE
    )


def code_files(
    files: Sequence[Digested],
    wanted: Sequence[str],
    scratch: Path,
    progress: Progress | None = None,
) -> Forms:
    """Verify the forms that lie in the tree and make those of `wanted` (tokens of codings).

    Forms are written to the directory `scratch`. `progress` gets bytes done and bytes in all.
    Raises `PackRefused`: a library is missing, a file changed.
    """
    forms = Forms()
    by_path = {one.file.path: one for one in files}
    for coding in CODINGS:
        _verify(coding, by_path, forms)
    codings = [coding for coding in CODINGS if coding.token in wanted]
    for coding in codings:
        if not coding.can_make:
            raise library_missing(coding.maker, f"`{coding.token}` forms cannot be made")
    jobs = list(_plan(files, codings, by_path, forms))
    _make(jobs, scratch, forms, progress)
    return forms


def matches(coding: Coding, form: Digested, base: Digested) -> bool:
    """Whether a form unpacks to the bytes of `base`."""
    sha256, size = hashlib.sha256(), 0
    try:
        with opened(form.file) as source:
            for piece in decode(coding, source):
                size += len(piece)
                if size > base.file.size:
                    return False
                sha256.update(piece)
    except NotCodedError:
        return False
    return sha256.digest() == base.sha256


def _verify(coding: Coding, by_path: dict[str, Digested], forms: Forms) -> None:
    for path, form in by_path.items():
        base = by_path.get(path.removesuffix(coding.suffix)) if _is_form(path, coding) else None
        if base is None:
            continue
        if base.has_placeholder:
            forms.warnings.append(
                f"`{path}` is not sent for `{base.file.path}`, whose placeholders are filled in "
                "for each request"
            )
            continue
        if not coding.can_read:
            assert coding.reader is not None
            raise library_missing(
                coding.reader, f"`{path}` cannot be compared with `{base.file.path}`"
            )
        if matches(coding, form, base):
            forms.link(base.file.path, coding)
        else:
            forms.warnings.append(
                f"`{path}` does not unpack to `{base.file.path}`: it is served under its own name "
                "only"
            )


def _is_form(path: str, coding: Coding) -> bool:
    return path.endswith(coding.suffix) and not _is_internal(path)


def _is_internal(path: str) -> bool:
    return "/.zeroserve/" in f"/{path}"


def _plan(
    files: Sequence[Digested],
    codings: Sequence[Coding],
    by_path: dict[str, Digested],
    forms: Forms,
) -> Iterator[tuple[Digested, list[Coding]]]:
    """What to make. A name that is taken stays as it is, whatever it holds."""
    for one in files:
        path = one.file.path
        if one.has_placeholder or _is_internal(path) or not is_compressible(path):
            continue
        missing = [coding for coding in codings if path + coding.suffix not in by_path]
        if one.file.size < FORM_BYTES_MIN or not missing:
            continue
        if one.file.size > FORM_BYTES_MAX:
            forms.warnings.append(
                f"`{path}` is not precompressed: it is larger than {FORM_BYTES_MAX >> 20} MiB"
            )
            continue
        yield one, missing


def _make(
    jobs: Sequence[tuple[Digested, list[Coding]]],
    scratch: Path,
    forms: Forms,
    progress: Progress | None,
) -> None:
    total = sum(one.file.size for one, _ in jobs)
    done = 0
    # The libraries release the GIL, so threads are enough. What is made does not depend on how many
    # there are, nor on which of them is first.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        for start in range(0, len(jobs), BATCH_FILES):
            batch = [
                (one, codings, scratch / str(start + number))
                for number, (one, codings) in enumerate(jobs[start : start + BATCH_FILES])
            ]
            for (one, _, _), made in zip(batch, threads.map(_code, batch), strict=True):
                for coding, form in made:
                    forms.made.append(form)
                    forms.link(one.file.path, coding)
                done += one.file.size
                if progress is not None:
                    progress(done, total)


def _code(job: tuple[Digested, list[Coding], Path]) -> list[tuple[Coding, Digested]]:
    one, codings, place = job
    with opened(one.file) as source:
        content = source.read(FORM_BYTES_MAX + 1)
    if hashlib.sha256(content).digest() != one.sha256:
        raise changed(one.file)
    made = []
    for coding in codings:
        form = encode(coding, content)
        if len(form) <= one.file.size * FORM_SHARE_MAX:
            target = place.with_name(place.name + coding.suffix)
            target.write_bytes(form)
            file = SourceFile(one.file.path + coding.suffix, target, len(form))
            made.append((coding, digest(file)))
    return made
