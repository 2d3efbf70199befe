"""Job: one script to compile, and what came of it. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The compiler that nobody chose: the pinned one.
AUTO = "auto"
#: The user's own clang, by its name.
CLANG = "clang"


@dataclass(frozen=True, slots=True)
class CompileJob:
    """A script's source and the files that it may include.

    `path`, `folder` and the names of `includes` are those of the tree, with `/`; `folder` is the
    scripts' folder (`.zeroserve/scripts/`) and `shown` is what to call it when speaking to the
    author.
    """

    path: str
    content: bytes
    folder: str
    includes: Mapping[str, bytes]
    shown: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """An object. `diagnostics` are the compiler's warnings, with the author's paths."""

    content: bytes
    diagnostics: str
    from_cache: bool = False
