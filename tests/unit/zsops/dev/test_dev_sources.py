"""What a site is made from: every file that matters lies in a folder that is watched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.config.models import Build, Site
from zsops.dev.sources import Sources, sources_of

FILE = Path("/p/zsops.yaml")
BUILD = Build(run="make", out="src/out", inputs=("*.json", "lib/**/*.md", "../shared/**"))
names = st.sampled_from(["a", "b", "src", "out", "x.md", "y.json", ".git", "node_modules"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
patterns = st.lists(
    st.sampled_from(["a", "src", "*", "**", "*.md", "?.md", "y.json", ".."]), min_size=1, max_size=4
).map("/".join)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("zsops.yaml", True),
        ("src/a/b", True),
        ("src", False),
        ("package.json", True),
        ("sub/package.json", False),
        ("lib/x.md", True),
        ("lib/a/b/x.md", True),
        ("lib/a/x.txt", False),
        ("README", False),
        ("src/out", False),
        ("src/out/index.html", False),
        ("src/outer", True),
        ("src/.git/index", False),
        ("src/node_modules/a/b", False),
        ("src/.zeroserve/scripts/a.c", True),
        ("src/.a.c.swp", False),
        ("src/a.c~", False),
    ],
)
def test_what_counts(path: str, counts: bool) -> None:
    assert sources_of(FILE, Site(src="src", build=BUILD)).counts(Path("/p", path)) is counts


def test_a_site_without_a_build_is_made_of_every_file_that_is_packed() -> None:
    found = sources_of(FILE, Site(src="./src/"))
    assert found.counts(Path("/p/src/node_modules/a.js"))
    assert not found.counts(Path("/p/src/.git/index"))
    assert found.folders() == ((Path("/p"), False), (Path("/p/src"), True))


def test_folders_are_watched_once() -> None:
    found = sources_of(FILE, Site(src="src", build=BUILD))
    assert found.folders() == (
        (Path("/p"), False),
        (Path("/p/lib"), True),
        (Path("/p/src"), True),
        (Path("/shared"), True),
    )
    assert found.counts(Path("/shared/a/b"))
    everything = sources_of(
        FILE, Site(src="src", build=BUILD.model_copy(update={"inputs": ("**",)}))
    )
    assert everything.folders() == ((Path("/p"), True),)


@given(st.sampled_from([".", "src", "src/a", "../q"]), st.lists(patterns, max_size=3), paths)
def test_what_counts_is_watched(src: str, inputs: list[str], path: str) -> None:
    build = Build(run="make", out="src/out", inputs=tuple(inputs))
    found = sources_of(FILE, Site(src=src, build=build))
    for start in ("/p", "/p/src", "/q", "/"):
        place = Path(start, path)
        if found.counts(place):
            assert any(_sees(folder, below, place) for folder, below in found.folders()), place


def _sees(folder: Path, below: bool, path: Path) -> bool:
    return folder in path.parents if below else folder == path.parent


def test_equal_sources_need_no_new_watch() -> None:
    def made(inputs: tuple[str, ...]) -> Sources:
        return sources_of(FILE, Site(src="src", build=BUILD.model_copy(update={"inputs": inputs})))

    assert made(("a",)) == made(("a",))
    assert made(("a",)) != made(("b",))
