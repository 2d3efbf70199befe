"""`build --check`: build a site twice under different conditions; the bytes must be the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from zsops.build.site import BuiltSite, OnLine, build_site, pack_tree
from zsops.config.load import Project
from zsops.errors import BuildError

#: What the second build sees differently, as far as a program's environment goes.
_OTHER_WORLD = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "7"}
_NAMES_MAX = 5


def check_reproducible(project: Project, name: str, *, on_line: OnLine | None = None) -> BuiltSite:
    """Build twice: with the build program under another time zone, locale and hash seed; and with
    the tree copied in another order, under another umask and with other times.

    Raises BuildError that names the files that differ.
    """
    with tempfile.TemporaryDirectory(prefix="zsops-twice-") as scratch:
        first_out, second_out = Path(scratch, "1"), Path(scratch, "2")
        first_out.mkdir()
        second_out.mkdir()
        first = build_site(project, name, first_out, on_line=on_line)
        site = project.site(name)
        if site.build is not None:
            again = build_site(project, name, second_out, on_line=on_line, environment=_OTHER_WORLD)
            _compare(name, first, again, "built again under another time zone and locale")
        tree = project.directory / (site.build.out if site.build else site.src)
        copy = Path(scratch, "copy")
        _copy_differently(tree, copy)
        again = pack_tree(
            name, site, copy, second_out / f"{name}-copy.tar", script_cache=False
        )
        _compare(name, first, again, "packed from a copy in another order, mode and time")
        return first


def _compare(name: str, first: BuiltSite, second: BuiltSite, how: str) -> None:
    if first.release_digest == second.release_digest:
        return
    before = {each.path: each.sha256 for each in first.members}
    after = {each.path: each.sha256 for each in second.members}
    differing = sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
    shown = ", ".join(f"`{each}`" for each in differing[:_NAMES_MAX]) or "only the archive's form"
    more = f" and {len(differing) - _NAMES_MAX} more" if len(differing) > _NAMES_MAX else ""
    raise BuildError(
        f"site `{name}` is not reproducible: {how}, these differ: {shown}{more}",
        hint="look for dates, random names or the order of a directory in these files",
    )


def _copy_differently(tree: Path, copy: Path) -> None:
    """The same names and bytes; written last name first, read-only, with a time of long ago."""
    names = sorted((each.relative_to(tree) for each in tree.rglob("*")), reverse=True)
    copy.mkdir()
    for name in names:
        source, place = tree / name, copy / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            continue  # links are never packed, and an absolute one would now leave the tree
        if source.is_dir():
            place.mkdir(exist_ok=True)
        elif source.is_file():
            shutil.copyfile(source, place)
            place.chmod(0o400)
            os.utime(place, (86_400, 86_400))
