"""What a site is made from: which folders to watch, and which changes in them matter. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zeroserve.pack.walk import BACKUP_NAME, VCS_NAMES
from zsops.build.patterns import compile_pattern
from zsops.config.models import Site

#: Folders that build programs keep for themselves: a build that writes there is no change.
_TOOLS = frozenset({"node_modules", "__pycache__", ".venv", ".cache", ".parcel-cache"})
_WILD = frozenset("*?")


@dataclass(frozen=True)
class _Input:
    """A pattern: files of `folder`, or of some folder below it."""

    folder: Path
    below: bool
    expression: re.Pattern[str]

    def means(self, path: Path) -> bool:
        if self.folder not in path.parents:
            return False
        return self.expression.fullmatch(path.relative_to(self.folder).as_posix()) is not None


@dataclass(frozen=True)
class Sources:
    """The sources of one site. Equal ones need no new watch. All paths are absolute."""

    project: Path
    files: tuple[Path, ...]
    trees: tuple[Path, ...]
    patterns: tuple[str, ...] = ()  # of `build.inputs`, relative to the project
    made: Path | None = None  # by the build: a change there is its own

    @cached_property
    def _inputs(self) -> tuple[_Input, ...]:
        return tuple(_input(self.project, each) for each in self.patterns)

    def folders(self) -> tuple[tuple[Path, bool], ...]:
        """The folders to watch; True: with all below. None lies below one that has all below it."""
        wanted = {
            *((each.parent, False) for each in self.files),
            *((each, True) for each in self.trees),
            *((each.folder, each.below) for each in self._inputs),
        }
        whole = {folder for folder, below in wanted if below}
        return tuple(
            sorted(
                (folder, below)
                for folder, below in wanted
                if not any(each in folder.parents for each in whole)
                and (below or folder not in whole)
            )
        )

    def counts(self, path: Path) -> bool:
        """Whether the site may be another after a change of `path`."""
        if path in self.files:
            return True
        if self.made is not None and path.is_relative_to(self.made):
            return False
        if BACKUP_NAME.fullmatch(path.name):
            return False
        if any(self._is_below(tree, path) for tree in self.trees):
            return True
        return any(each.means(path) for each in self._inputs)

    def _is_below(self, tree: Path, path: Path) -> bool:
        if tree not in path.parents:
            return False
        parts = path.relative_to(tree).parts
        return not any(
            each in VCS_NAMES or (each in _TOOLS and self.made is not None) for each in parts
        )


def sources_of(file: Path, site: Site) -> Sources:
    """Those of `site` in the project whose file is `file`."""
    file = _absolute(file.parent, file.name)
    project = file.parent
    build = site.build
    return Sources(
        project=project,
        files=(file,),
        trees=(_absolute(project, site.src),),
        patterns=build.inputs if build is not None else (),
        made=_absolute(project, build.out) if build is not None else None,
    )


def _input(project: Path, pattern: str) -> _Input:
    parts = pattern.split("/")
    plain = list(_until_wild(parts[:-1]))
    rest = parts[len(plain) :]
    return _Input(
        folder=_absolute(project, "/".join(plain)),
        below=len(rest) > 1 or "**" in rest[-1],
        expression=compile_pattern("/".join(rest)),
    )


def _until_wild(parts: list[str]) -> Iterator[str]:
    for part in parts:
        if _WILD & set(part):
            return
        yield part


def _absolute(project: Path, name: str) -> Path:
    return Path(os.path.normpath(project / name))
