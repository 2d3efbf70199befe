"""Page suffix: text that a development server adds to the end of every HTML page."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from zeroserve.pack.content_type import content_type_of
from zeroserve.pack.digested import opened
from zeroserve.pack.walk import SourceFile


def append_to_pages(
    files: Sequence[SourceFile], suffix: bytes, scratch: Path
) -> tuple[SourceFile, ...]:
    """The files, HTML ones with `suffix` after their last byte. Copies are written to `scratch`."""
    if not suffix:
        return tuple(files)
    return tuple(
        _longer(file, suffix, scratch / f"page-{number}")
        if content_type_of(file.path).startswith("text/html")
        else file
        for number, file in enumerate(files)
    )


def _longer(file: SourceFile, suffix: bytes, place: Path) -> SourceFile:
    with opened(file) as source, place.open("wb") as target:
        shutil.copyfileobj(source, target)
        target.write(suffix)
        return SourceFile(file.path, place, target.tell())
