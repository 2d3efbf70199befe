"""One site: its build is run (if it has one), its files selected and packed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from zeroserve.errors import ZeroserveError
from zeroserve.pack.archive import (
    PackOptions,
    PackResult,
    atomic_output,
    epoch_from_environment,
    pack,
)
from zeroserve.pack.compose import root_of
from zeroserve.pack.member_index import Member, read_index
from zeroserve.pack.script_files import ScriptChoice
from zeroserve.pack.walk import walk
from zeroserve.scripts.compile import CompileFailed
from zsops.build.command import run_build
from zsops.build.patterns import select
from zsops.config.load import Project
from zsops.config.models import Site
from zsops.errors import BuildError
from zsops.host.extents import encode, read_extents
from zsops.host.messages import SitePart

#: Called with each line a build program prints.
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class BuiltSite:
    """A packed site. `size` is that of the tarball, in bytes."""

    site: str
    tar: Path
    release_digest: str
    site_digest: str
    size: int
    members: tuple[Member, ...]
    extents: str  # its pieces by hash, so that hosts copy what they have
    warnings: tuple[str, ...]
    parts: tuple[tuple[str, str], ...] = ()  # of a bundle: (site, its digest alone)

    @property
    def sites(self) -> tuple[SitePart, ...]:
        """The sites in the tarball, with their roots."""
        if not self.parts:
            return (SitePart(self.site, "", self.site_digest),)
        return tuple(SitePart(name, root_of(name), digest) for name, digest in self.parts)


def build_site(
    project: Project,
    name: str,
    out: Path,
    *,
    on_line: OnLine | None = None,
    environment: Mapping[str, str] | None = None,
) -> BuiltSite:
    """Build the site `name` into `out/NAME.tar`.

    `environment` is added to that of the build program. Raises UnknownName, or BuildError with the
    last lines the program printed.
    """
    tree = built_tree(project, name, on_line=on_line, environment=environment)
    return pack_tree(name, project.site(name), tree, out / f"{name}.tar")


def built_tree(
    project: Project,
    name: str,
    *,
    on_line: OnLine | None = None,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """The directory to pack, after the build has run if there is one. Raises as `build_site`."""
    site = project.site(name)
    tree = project.directory / site.src
    if site.build is not None:
        if not tree.is_dir():
            raise BuildError(f"site `{name}`: there is no directory `{site.src}`")
        run_build(
            site.build, site=name, cwd=project.directory, on_line=on_line, extra=environment or {}
        )
        tree = project.directory / site.build.out
        if not tree.is_dir():
            raise BuildError(
                f"site `{name}`: the build made no directory `{site.build.out}`",
                hint="`out` names what `run` writes, relative to the project",
            )
    if not tree.is_dir():
        raise BuildError(
            f"site `{name}`: there is no directory `{site.src}`",
            hint="`src` is relative to the directory of `zsops.yaml`",
        )
    return tree


def pack_tree(
    name: str, site: Site, tree: Path, tar: Path, *, script_cache: bool = True
) -> BuiltSite:
    """Pack the selected files of `tree` into `tar`.

    Without `script_cache` every script is compiled anew. Raises BuildError.
    """
    try:
        result = _write(site, tree, tar, script_cache=script_cache)
        index = read_index(tar)
        with tar.open("rb") as file:
            places = [(each.offset, each.size) for each in index.members]
            extents = encode(read_extents(file, places, result.size))
    except ZeroserveError as error:
        raise BuildError(f"site `{name}`: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise BuildError(f"site `{name}`: `{error.filename}`: {error.strerror}") from error
    return BuiltSite(
        site=name,
        tar=tar,
        release_digest=result.release_digest,
        site_digest=result.site_digest,
        size=result.size,
        members=index.members,
        extents=extents,
        warnings=result.warnings,
    )


def write_tar(name: str, site: Site, tree: Path, tar: Path, *, page_suffix: bytes) -> PackResult:
    """As `pack_tree`, with `page_suffix` at the end of every page: for a development server, which
    wants no member index. Raises BuildError."""
    try:
        return _write(site, tree, tar, page_suffix=page_suffix)
    except ZeroserveError as error:
        raise BuildError(f"site `{name}`: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise BuildError(f"site `{name}`: `{error.filename}`: {error.strerror}") from error


def _write(
    site: Site, tree: Path, tar: Path, *, script_cache: bool = True, page_suffix: bytes = b""
) -> PackResult:
    options = PackOptions(
        mtime=epoch_from_environment(os.environ),
        scripts=ScriptChoice(cache=script_cache),
        page_suffix=page_suffix,
    )
    with _selected(site, tree) as (directory, warnings), atomic_output(tar) as output:
        result = _pack_selected(directory, tree, output, options)
    return replace(result, warnings=tuple(sorted({*warnings, *result.warnings})))


def _pack_selected(
    directory: Path, tree: Path, output: BinaryIO, options: PackOptions
) -> PackResult:
    """Pack a selection; what a compiler says about its copy is said about the tree."""
    try:
        return pack(directory, output, options)
    except CompileFailed as failed:
        failed.message = failed.message.replace(f"{directory}/", f"{tree}/")
        raise


@contextmanager
def _selected(site: Site, tree: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The tree itself, or a copy of the files that `include` and `exclude` leave of it."""
    if site.include == ("**",) and not site.exclude:
        yield tree, ()
        return
    # The packer's own walk decides first what may be packed at all, so that a pattern never
    # brings a private key back in or hides a link that leaves the tree.
    walked = walk(tree, include_hidden=False)
    kept = set(select((each.path for each in walked.files), site.include, site.exclude))
    with tempfile.TemporaryDirectory(prefix="zsops-select-") as copy:
        for file in walked.files:
            if file.path in kept:
                place = Path(copy, file.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.source, place)
        yield Path(copy), walked.warnings
