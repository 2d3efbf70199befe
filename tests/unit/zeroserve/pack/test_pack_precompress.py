"""Coded forms: made, found, compared; the same bytes whoever makes them."""

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_trees import pack_bytes, write_tree

from zeroserve.errors import PackRefused
from zeroserve.pack import coding as codings
from zeroserve.pack import precompress
from zeroserve.pack.archive import PackOptions, pack
from zeroserve.pack.coding import CODINGS, Coding, NotCodedError, decode, encode
from zeroserve.pack.member_index import Member, read_index

ALL = PackOptions(precompress=("br", "zstd", "gzip"))
TEXT = b"".join(b"line %d of a text that shrinks\n" % number for number in range(400))
NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(200))


def index_of(place: Path, files: dict[str, bytes], options: PackOptions) -> dict[str, Member]:
    data, _ = pack_bytes(write_tree(place / "tree", files), options)
    site = place / "site.tar"
    site.write_bytes(data)
    return {one.path: one for one in read_index(site).members}


def content(place: Path, member: Member) -> bytes:
    with (place / "site.tar").open("rb") as file:
        file.seek(member.offset)
        return file.read(member.size)


def test_forms_are_made_linked_and_smaller(tmp_path: Path) -> None:
    found = index_of(tmp_path, {"a/page.html": TEXT, "a/x.bin": TEXT}, ALL)
    assert list(found) == [
        "a/page.html",
        "a/page.html.br",
        "a/page.html.gz",
        "a/page.html.zst",
        "a/x.bin",
    ]
    assert found["a/page.html"].encodings == 7
    assert found["a/x.bin"].encodings == found["a/page.html.gz"].encodings == 0
    forms = {one: content(tmp_path, found["a/page.html" + one]) for one in (".br", ".gz", ".zst")}
    assert brotli.decompress(forms[".br"]) == TEXT
    assert zlib.decompress(forms[".gz"], wbits=31) == TEXT
    assert zstandard.decompress(forms[".zst"]) == TEXT
    assert max(map(len, forms.values())) < len(TEXT) / 5


def test_gzip_names_no_file_no_time_and_no_system() -> None:
    header = encode(CODINGS[2], TEXT)[:10]
    assert header[:3] == b"\x1f\x8b\x08"
    assert header[3] == 0, "no name, no comment"
    assert header[4:8] == bytes(4), "no time"
    assert header[9] == 255, "no operating system"


def test_only_what_is_wanted_is_made(tmp_path: Path) -> None:
    found = index_of(tmp_path, {"a.css": TEXT}, PackOptions(precompress=("zstd",)))
    assert list(found) == ["a.css", "a.css.zst"]
    assert found["a.css"].encodings == 2


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("small.html", TEXT[: precompress.FORM_BYTES_MIN - 1]),
        ("noise.txt", NOISE),
        ("photo.jpg", TEXT),
        ("template.html", TEXT + b"<p><zs-meta>x</zs-meta></p>"),
        (".zeroserve/data.json", TEXT),
    ],
)
def test_what_is_not_coded(tmp_path: Path, name: str, data: bytes) -> None:
    found = index_of(tmp_path, {name: data, "index.html": b""}, ALL)
    assert sorted(found) == sorted([name, "index.html"])
    assert found[name].encodings == 0


def test_at_least_five_percent_are_saved(tmp_path: Path) -> None:
    data = NOISE + bytes(int(len(NOISE) * 0.03))
    assert list(index_of(tmp_path / "less", {"a.txt": data}, ALL)) == ["a.txt"]
    data = NOISE + bytes(int(len(NOISE) * 0.1))
    assert len(index_of(tmp_path / "more", {"a.txt": data}, ALL)) == 4


def test_a_file_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precompress, "FORM_BYTES_MAX", 1000)
    tree = write_tree(tmp_path / "tree", {"a.txt": TEXT})
    _, result = pack_bytes(tree, ALL)
    assert "`a.txt` is not precompressed" in result.warnings[0]


def forms_of(data: bytes) -> dict[str, bytes]:
    return {"x" + one.suffix: encode(one, data) for one in CODINGS}


@pytest.mark.parametrize("options", [PackOptions(), ALL])
def test_forms_in_the_tree_are_compared_and_kept(tmp_path: Path, options: PackOptions) -> None:
    files = {"x": TEXT, **forms_of(TEXT)}
    found = index_of(tmp_path, files, options)
    assert found["x"].encodings == 7
    assert {path: content(tmp_path, one) for path, one in found.items()} == files


def damaged(kind: str, coding: Coding) -> bytes:
    good = encode(coding, TEXT)
    return {
        "other": lambda: encode(coding, TEXT + b"x"),
        "less": lambda: encode(coding, TEXT[:-1]),
        "empty": lambda: b"",
        "cut": lambda: good[:-9],
        "tail": lambda: good + b"more",
        "changed": lambda: good[:60] + bytes([good[60] ^ 1]) + good[61:],
        "plain": lambda: TEXT,
        "bomb": lambda: encode(coding, bytes(2_000_000)),
    }[kind]()


@pytest.mark.parametrize(
    "kind", ["other", "less", "empty", "cut", "tail", "changed", "plain", "bomb"]
)
@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: one.token)
def test_what_is_no_form_is_not_linked(tmp_path: Path, coding: Coding, kind: str) -> None:
    name = "x" + coding.suffix
    tree = write_tree(tmp_path / "tree", {"x": TEXT, name: damaged(kind, coding)})
    data, result = pack_bytes(tree)
    assert result.warnings == (
        f"`{name}` does not unpack to `x`: it is served under its own name only",
    )
    (tmp_path / "site.tar").write_bytes(data)
    assert {one.encodings for one in read_index(tmp_path / "site.tar").members} == {0}


def test_a_taken_name_is_not_overwritten(tmp_path: Path) -> None:
    found = index_of(tmp_path, {"a.css": TEXT, "a.css.gz": b"mine"}, ALL)
    assert found["a.css"].encodings == 3
    assert content(tmp_path, found["a.css.gz"]) == b"mine"


def test_a_form_of_a_page_with_placeholders_is_not_linked(tmp_path: Path) -> None:
    page = TEXT + b"<zs-meta>x</zs-meta>"
    files = {"a.html": page, "a.html.gz": gzip.compress(page)}
    assert index_of(tmp_path, files, PackOptions())["a.html"].encodings == 0


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = {"brotli", "zstandard", "deflate"}
    monkeypatch.setattr(codings, "find_spec", lambda name: None if name in hidden else object())
    tree = write_tree(tmp_path / "tree", {"a.css": TEXT, "a.css.gz": gzip.compress(TEXT)})
    pack_bytes(tree)  # nothing to make, and gzip is read by the standard library
    for token in ("br", "zstd", "gzip"):
        with pytest.raises(PackRefused) as caught:
            pack_bytes(tree, PackOptions(precompress=(token,)))
        assert caught.value.hint == "`pip install 'zeroserve[precompress]'`"
    write_tree(tree, {"a.css.br": b"?"})
    with pytest.raises(PackRefused, match=r"`a.css.br` cannot be compared") as caught:
        pack_bytes(tree)
    assert caught.value.code == "precompress-missing"


def test_a_file_that_changes_before_it_is_coded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = write_tree(tmp_path / "tree", {"a.css": TEXT})
    plan = precompress._plan

    def change(*arguments: object) -> object:
        jobs = list(plan(*arguments))  # type: ignore[arg-type]
        (tree / "a.css").write_bytes(TEXT.upper())
        return jobs

    monkeypatch.setattr(precompress, "_plan", change)
    with pytest.raises(PackRefused) as caught:
        pack_bytes(tree, ALL)
    assert caught.value.code == "pack-changed"


@pytest.mark.parametrize("cores", [1, 7])
def test_the_number_of_cores_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    files = {f"{number}.txt": TEXT * (number % 3 + 1) for number in range(12)}
    tree = write_tree(tmp_path / "tree", files)
    want, _ = pack_bytes(tree, ALL)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert pack_bytes(tree, ALL)[0] == want


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"a.css": TEXT, "b.css": TEXT * 2, "c.jpg": TEXT})
    seen: list[tuple[int, int]] = []
    pack(tree, io.BytesIO(), ALL, lambda done, total: seen.append((done, total)))
    assert seen == [(len(TEXT), 3 * len(TEXT)), (3 * len(TEXT), 3 * len(TEXT))]


#: SHA-256 of what the pinned libraries make of `TEXT`. Another digest means that a release packed
#: here has another name than one packed elsewhere.
MADE = {
    "br": "a4036baa2c0eb7cb91d9f975b3bff7c67c7e012072c99e07540578f551f3bea7",
    "zstd": "1a9770cae86cfe6ea0ab76351a9f66c8edf9bb3a25a391c8daa9c77e0b54351f",
    "gzip": "a03bde3fc34c8b873e221a87fb610e9c87c1b44a0d5ac25f43045df3178acef2",
}


@pytest.mark.parametrize("one", CODINGS, ids=lambda one: one.token)
def test_every_machine_makes_these_bytes(one: Coding) -> None:
    assert hashlib.sha256(encode(one, TEXT)).hexdigest() == MADE[one.token]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([b"<p>", b"text ", b"\0", b"\xff", b"class="]), max_size=2000))
def test_any_content_comes_back_and_twice_the_same(parts: list[bytes]) -> None:
    data = b"".join(parts)
    for one in CODINGS:
        form = encode(one, data)
        assert form == encode(one, data)
        assert b"".join(decode(one, io.BytesIO(form))) == data


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_one_clear_error(data: bytes) -> None:
    for one in CODINGS:
        try:
            size = sum(len(piece) for piece in decode(one, io.BytesIO(data)))
        except NotCodedError:
            continue
        assert size >= 0
