"""Compose: archives below roots of their own; the same parts give the same, checked bytes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from support.trees import pack_files

from zeroserve.check import check_path
from zeroserve.errors import PackRefused
from zeroserve.pack.compose import Composition, Part, compose
from zeroserve.pack.member_index import Member, read_index


def _part(place: Path, prefix: str = "", **files: str) -> Part:
    named = {
        name.replace("__", "/").replace("_html", ".html"): text.encode()
        for name, text in files.items()
    }
    tar = pack_files(named, place)
    return Part(str(tar), read_index(tar).members, prefix)


def _written(made: Composition, place: Path) -> Path:
    sink = io.BytesIO()
    for piece in made.pieces:
        if piece.source is None:
            sink.write(piece.data)
        else:
            sink.write(Path(piece.source).read_bytes()[piece.offset : piece.offset + piece.size])
    assert sink.tell() == made.size
    place.write_bytes(sink.getvalue())
    return place


def test_what_is_composed_passes_the_check(tmp_path: Path) -> None:
    blog = _part(tmp_path / "blog.tar", index_html="blog", empty="", a__b_html="deep")
    docs = _part(tmp_path / "docs.tar", index_html="docs")
    made = compose({"blog": blog, "docs": docs}, {"acme.org": "blog", "docs.acme.org": "docs"})
    tar = _written(made, tmp_path / "both.tar")
    assert check_path(tar) == ()
    index = read_index(tar)
    assert (index.site_digest, index.members) == (made.site_digest, made.members)
    assert [each.path for each in index.members] == [
        ".zeroserve/hosts.json",
        "sites/blog/a/b.html",
        "sites/blog/empty",
        "sites/blog/index.html",
        "sites/docs/index.html",
    ]


def test_order_of_parts_and_hosts_does_not_matter(tmp_path: Path) -> None:
    one = _part(tmp_path / "one.tar", index_html="1")
    two = _part(tmp_path / "two.tar", index_html="2")
    forth = compose({"one": one, "two": two}, {"a.org": "one", "b.org": "two"})
    back = compose({"two": two, "one": one}, {"b.org": "two", "a.org": "one"})
    assert (
        _written(forth, tmp_path / "f").read_bytes() == _written(back, tmp_path / "b").read_bytes()
    )


def test_a_part_of_a_composed_archive_is_the_site_again(tmp_path: Path) -> None:
    blog = _part(tmp_path / "blog.tar", index_html="blog")
    docs = _part(tmp_path / "docs.tar", index_html="docs")
    hosts = {"a.org": "blog", "b.org": "docs"}
    tar = _written(compose({"blog": blog, "docs": docs}, hosts), tmp_path / "both.tar")
    again = Part(str(tar), read_index(tar).members, "sites/blog/")
    assert again.digest() == read_index(Path(blog.source)).site_digest
    rebuilt = compose({"blog": again, "docs": docs}, hosts)
    assert _written(rebuilt, tmp_path / "again.tar").read_bytes() == tar.read_bytes()


def test_what_a_member_is_served_with_stays(tmp_path: Path) -> None:
    member = Member("x.js", 1024, 3, 7, b"h" * 32, "text/javascript", 3, has_placeholder=True)
    made = compose({"one": Part("t", (member,))}, {"a.org": "one"})
    (placed,) = [each for each in made.members if each.path == "sites/one/x.js"]
    for name in ("size", "mtime", "sha256", "content_type", "encodings", "has_placeholder"):
        assert getattr(placed, name) == getattr(member, name)


def test_hosts_within_hosts_and_unfit_names_are_refused(tmp_path: Path) -> None:
    member = Member(".zeroserve/hosts.json", 0, 2, 0, b"h" * 32, "application/json", 0, False)
    with pytest.raises(PackRefused, match="of its own"):
        compose({"one": Part("t", (member,))}, {"a.org": "one"})
    plain = _part(tmp_path / "one.tar", index_html="1")
    with pytest.raises(PackRefused, match="wildcards"):
        compose({"one": plain}, {"*.a.org": "one"})
