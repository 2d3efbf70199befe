"""The manual builds without a warning, into the same bytes in any place and time zone."""

from __future__ import annotations

import os
import shutil
import subprocess  # noqa: TID251 -- the generator is tried as `zsops.yaml` runs it
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from tracked_files import ROOT

_PROGRAM = [sys.executable, "-m", "sphinx", "-q", "-W", "-E", "-b", "dirhtml"]


def build(place: Path, **env: str) -> dict[str, bytes]:
    """Copy the sources to `place`, build there, and return the tree."""
    shutil.copytree(ROOT / "docs", place / "docs")
    shutil.copytree(ROOT / "sites", place / "sites", ignore=shutil.ignore_patterns("docs"))
    done = subprocess.run(
        [*_PROGRAM, "-d", "build/doctrees", "docs", "sites/docs"],
        cwd=place,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    out = place / "sites" / "docs"
    tree = {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in out.rglob("*")
        if file.is_file()
    }
    assert "index.html" in tree
    return tree


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(tmp_path_factory.mktemp("one"), TZ="UTC", LC_ALL="C", PYTHONHASHSEED="1")


def test_two_builds_are_the_same_bytes(pages: dict[str, bytes], tmp_path: Path) -> None:
    place = tmp_path / "another" / "place"
    again = build(place, TZ="Asia/Tokyo", LC_ALL="C.UTF-8", PYTHONHASHSEED="2")
    assert sorted(pages) == sorted(again)
    assert not [name for name, body in pages.items() if again[name] != body]


def test_every_link_inside_leads_somewhere_and_nothing_loads_from_outside(
    pages: dict[str, bytes],
) -> None:
    lost, outside = [], []
    for name, body in pages.items():
        if not name.endswith(".html"):
            continue
        for kind, link in _links(body.decode()):
            target = urlsplit(urljoin(f"https://site.invalid/{name}", link))
            if target.netloc != "site.invalid":
                outside += [f"{name}: {link}"] if kind == "loads" else []
                continue
            path = target.path.lstrip("/")
            if path not in pages and f"{path.rstrip('/')}/index.html".lstrip("/") not in pages:
                lost.append(f"{name}: {link}")
    assert not lost
    assert not outside


def _links(page: str) -> list[tuple[str, str]]:
    """(`loads` or `goes`, address) for each reference of a page."""
    found: list[tuple[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            values = dict(attrs)
            if link := values.get("src"):
                found.append(("loads", link))
            if link := values.get("href"):
                found.append(("loads" if tag == "link" else "goes", link))

    Reader().feed(page)
    return [each for each in found if not each[1].startswith(("data:", "mailto:", "#"))]
