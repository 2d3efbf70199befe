"""The reader: agrees with the standard library on what it accepts, and refuses the rest clearly."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.errors import SiteRefused
from zeroserve.pack import ustar
from zeroserve.pack.tar_reader import TarMember, open_archive, read_members


def read(data: bytes) -> list[TarMember]:
    return list(read_members(io.BytesIO(data), "x.tar"))


def made(form: int, files: dict[str, bytes], **fields: object) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(content))
    return output.getvalue()


names = st.lists(
    st.text(
        st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]),
        min_size=1,
        max_size=90,
    ).filter(lambda segment: segment not in {".", ".."}),
    min_size=1,
    max_size=4,
).map("/".join)


@given(
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.dictionaries(names, st.binary(max_size=1500), min_size=1, max_size=5),
    st.integers(0, 2**31),
)
def test_agrees_with_tarfile(form: int, files: dict[str, bytes], mtime: int) -> None:
    data = made(form, files, mtime=mtime)
    found = read(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        want = [TarMember(one.name, one.offset_data, one.size, int(one.mtime)) for one in tar]
    assert [(one.path, one.offset, one.size, one.mtime) for one in found] == [
        (one.path, one.offset, one.size, one.mtime) for one in want
    ]


@given(names, st.binary(max_size=600), st.integers(0, 2**36))
def test_reads_our_own_headers(name: str, content: bytes, mtime: int) -> None:
    head = ustar.header_bytes(name, len(content), mtime)
    data = head + content + bytes(ustar.padding(len(content))) + ustar.END_OF_ARCHIVE
    assert read(data) == [TarMember(name, len(head), len(content), mtime)]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == [name.rstrip("/")]


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 10**13])
def test_large_sizes_survive_in_the_header(size: int) -> None:
    head = ustar.header_bytes("big", size, 0)
    with pytest.raises(SiteRefused, match=f"{len(head) + size} bytes wanted"):
        read(head)
    assert (len(head) > 512) == (size >= 8**11)
    assert tarfile.TarInfo.frombuf(head[-512:], "utf-8", "strict").name == "big"


def test_leading_dots_are_cut_and_directories_passed_over() -> None:
    data = made(tarfile.USTAR_FORMAT, {"./a/b": b"1", "././c": b"2", "d//e/./f": b"3"})
    directory = made(tarfile.USTAR_FORMAT, {"d": b""}, type=tarfile.DIRTYPE)[:512]
    link = made(tarfile.USTAR_FORMAT, {"l": b""}, type=tarfile.SYMTYPE, linkname="a")[:512]
    assert [one.path for one in read(directory + link + data)] == ["a/b", "c", "d/e/f"]


def test_a_later_pax_header_belongs_to_its_own_member_only() -> None:
    long = "x" * 300
    assert [one.path for one in read(made(tarfile.PAX_FORMAT, {long: b"", "short": b""}))] == [
        long,
        "short",
    ]


def test_sparse_members_are_refused() -> None:
    gnu = made(tarfile.GNU_FORMAT, {"holes": b""}, type=tarfile.GNUTYPE_SPARSE)
    pax = made(tarfile.PAX_FORMAT, {"holes": b"x"}, pax_headers={"GNU.sparse.major": "1"})
    for data in (gnu, pax):
        with pytest.raises(SiteRefused) as caught:
            read(data)
        assert caught.value.code == "member-sparse"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:700], "site-truncated"),
        (lambda data: data[:1100], "site-truncated"),
        (lambda data: data[:1024], "site-truncated"),  # whole members may be missing
        (lambda data: b"x" + data[1:], "site-not-tar"),
        (lambda data: data[:100], "site-not-tar"),
        (lambda data: b"\x1f\x8b" + data[2:], "site-not-tar"),
        (lambda data: b"PK\3\4" * 300, "site-not-tar"),
    ],
)
def test_damage_is_named(change, code: str) -> None:  # noqa: ANN001  # a lambda of the table
    good = made(tarfile.USTAR_FORMAT, {"a": b"x" * 300, "b": b"y" * 300})
    with pytest.raises(SiteRefused) as caught:
        read(change(good))
    assert caught.value.code == code


@given(st.data())
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    good = bytearray(made(tarfile.PAX_FORMAT, {"é" * 80: b"1", "b": b"2"}, mtime=1.5))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, 3000))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(good))
    except SiteRefused as error:
        assert "x.tar" in error.message  # noqa: PT017


@pytest.mark.parametrize(
    "value", [b"99999999 path=a\n", b"x path=a\n", b"9 path=a", b"7 path\n", b"12 size=-1\n\n"]
)
def test_malformed_pax_records_are_refused(value: bytes) -> None:
    info = tarfile.TarInfo("p")
    info.type, info.size = tarfile.XHDTYPE, len(value)
    head = info.tobuf(tarfile.USTAR_FORMAT) + value + bytes(-len(value) % 512)
    with pytest.raises(SiteRefused) as caught:
        read(head + made(tarfile.USTAR_FORMAT, {"a": b""}))
    assert caught.value.code == "site-not-tar"


def test_opening_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name, code in (
        ("missing", "site-missing"),
        (".", "site-is-directory"),
        ("empty", "site-empty"),
        ("empty/below", "site-unreadable"),
    ):
        with pytest.raises(SiteRefused) as caught:
            open_archive(tmp_path / name)
        assert caught.value.code == code
