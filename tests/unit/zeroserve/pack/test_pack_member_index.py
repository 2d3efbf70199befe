"""The member index: round trip, the layout to the byte, and damaged bytes."""

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.errors import SiteRefused
from zeroserve.pack.member_index import (
    Member,
    decode_index,
    encode_index,
    index_size,
    read_index,
    site_digest_of,
)

paths = st.text(min_size=1, max_size=40).filter(
    lambda text: text.encode("utf-8", "replace") and text.isprintable()
)
members = st.lists(
    st.builds(
        Member,
        path=paths,
        offset=st.integers(0, 2**64 - 1),
        size=st.integers(0, 2**64 - 1),
        mtime=st.integers(-(2**63), 2**63 - 1),
        sha256=st.binary(min_size=32, max_size=32),
        content_type=st.sampled_from(["text/html", "text/css; charset=utf-8", "image/png"]),
        encodings=st.integers(0, 7),
        has_placeholder=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda member: member.path,
)


@given(members)
def test_what_is_written_is_read(some: list[Member]) -> None:
    data = encode_index(some)
    assert len(data) == index_size((one.path for one in some), (one.content_type for one in some))
    index = decode_index(data, "x.tar")
    assert index.members == tuple(sorted(some, key=lambda member: member.path.encode()))


def one_member() -> Member:
    return Member("é.html", 1536, 5, 7, bytes(range(32)), "text/html", 5, True)


def test_the_layout_is_the_documented_one() -> None:
    data = encode_index([one_member()])
    digest = hashlib.sha256("é.html".encode() + b"\0" + bytes(range(32))).digest()
    header = b"ZSMEMBR1" + struct.pack("<II", 1, 16) + digest + struct.pack("<IIQ", 72, 0, 0)
    record = (
        struct.pack("<QQq", 1536, 5, 7) + bytes(range(32)) + struct.pack("<IIHBB", 9, 0, 7, 9, 5)
    )
    assert data == header + record + b"\1\0\0\0" + b"text/html" + "é.html".encode()


@given(st.lists(st.tuples(paths, st.binary(min_size=32, max_size=32)), max_size=6))
def test_site_digest_does_not_depend_on_order(pairs: list[tuple[str, bytes]]) -> None:
    assert site_digest_of(pairs) == site_digest_of(reversed(pairs))


@given(st.data())
def test_any_changed_byte_is_noticed_or_harmless(data: st.DataObject) -> None:
    good = encode_index([one_member(), Member("b", 9, 1, 0, bytes(32), "text/css", 0, False)])
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    try:
        index = decode_index(bytes(bad), "x.tar")
    except SiteRefused as error:
        assert error.code in ("index-bad", "site-digest")  # noqa: PT017  # others are a failure
    else:
        # Offsets, sizes, times, types and flags are not part of the site digest.
        assert [one.path for one in index.members] == ["b", "é.html"]


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(SiteRefused):
        decode_index(data, "x.tar")


@pytest.mark.parametrize("cut", [0, 10, 63, 64, 100, -1])
def test_cut_bytes_are_refused(cut: int) -> None:
    with pytest.raises(SiteRefused) as caught:
        decode_index(encode_index([one_member()])[:cut], "x.tar")
    assert caught.value.code == "index-bad"


def test_a_member_with_no_room_is_our_bug() -> None:
    with pytest.raises(ValueError, match="no room"):
        encode_index([Member("x" * 70_000, 0, 0, 0, bytes(32), "text/css", 0, False)])


def test_read_index_of_a_packed_archive(packed: Path) -> None:
    index = read_index(packed)
    content = packed.read_bytes()
    assert [one.path for one in index.members] == [
        "a/b.txt",
        "a/b.txt.gz",
        "empty",
        "index.html",
        "page.html",
    ]
    by_path = {one.path: one for one in index.members}
    for one in index.members:
        data = content[one.offset : one.offset + one.size]
        assert hashlib.sha256(data).digest() == one.sha256
    assert by_path["a/b.txt"].encodings == 4
    assert by_path["page.html"].has_placeholder
    assert not by_path["index.html"].has_placeholder
    assert by_path["index.html"].content_type == "text/html; charset=utf-8"


def test_read_index_names_an_archive_without_one(tmp_path: Path) -> None:
    import tarfile

    tar = tmp_path / "foreign.tar"
    with tarfile.open(tar, "w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    with pytest.raises(SiteRefused) as caught:
        read_index(tar)
    assert caught.value.code == "index-missing"
