"""Wheels as bytes of others: whatever they are, they are installed below their home or refused."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import stat
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zsops.build.wheel import read_wheel
from zsops.errors import BuildError, ProgramRefused
from zsops.host import wheel as wheels

_INFO = "zeroserve-7.0.0.dist-info"
_DATA = "zeroserve-0.data"  # by the name that the file has when it is unpacked
_FILES = {
    "zeroserve/__init__.py": b'__version__ = "7.0.0"\n',
    "zeroserve/engine.so": bytes(range(256)) * 8,
    f"{_DATA}/scripts/helper": b"#!python\nprint()\n",
    f"{_DATA}/data/share/notes": b"notes\n",
    f"{_INFO}/METADATA": b"Metadata-Version: 2.1\nName: zeroserve\nVersion: 7.0.0\n",
    f"{_INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{_INFO}/entry_points.txt": b"[console_scripts]\nzeroserve = zeroserve.__main__:main\n",
}
Member = tuple[str, bytes]


def _line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"


def _pack(
    members: Sequence[Member],
    record: Callable[[list[str]], list[str]] = lambda lines: lines,
    touch: Callable[[zipfile.ZipInfo], None] = lambda info: None,
) -> bytes:
    """A wheel of these members with the RECORD that fits, or what `record` makes of it."""
    lines = [_line(name, content) for name, content in members]
    text = "\n".join([*record(lines), f"{_INFO}/RECORD,,", ""]).encode()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*members, (f"{_INFO}/RECORD", text)):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            touch(info)
            archive.writestr(info, content)
    return made.getvalue()


GOOD = _pack(list(_FILES.items()))


def _installed(content: bytes) -> dict[str, bytes] | None:
    """Files below the home, or None for a refusal; nothing else may come out, or be written."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        home, blob = place / "home", place / "blob"
        packages = wheels._packages(home)
        for each in (packages, home / "bin"):
            each.mkdir(parents=True)
        # As a real environment has them: a way out that must not be followed, and one inside.
        outside = place / "outside"
        outside.write_bytes(b"of somebody else")
        (home / "bin" / "python").symlink_to(outside)
        (home / "lib64").symlink_to("lib")
        blob.write_bytes(content)
        found = None
        with contextlib.suppress(ProgramRefused):
            wheels._unpack(blob, home)
            files = (each for each in home.rglob("*") if not each.is_symlink() and each.is_file())
            found = {str(each.relative_to(home)): each.read_bytes() for each in files}
        assert sorted(each.name for each in place.iterdir()) == ["blob", "home", "outside"]
        assert outside.read_bytes() == b"of somebody else"
        links = {each.name for each in home.rglob("*") if each.is_symlink()}
        assert links == {"python", "lib64"}
        with contextlib.suppress(BuildError):
            read_wheel(blob)
        return found


def test_a_good_one_is_installed() -> None:
    found = _installed(GOOD)
    assert found is not None
    packages = str(wheels._packages(Path()))
    assert found[f"{packages}/zeroserve/engine.so"] == _FILES["zeroserve/engine.so"]
    assert b"zeroserve.__main__" in found["bin/zeroserve"]
    assert found["share/notes"] == b"notes\n"


def _with(*more: Member) -> bytes:
    return _pack([*_FILES.items(), *more])


def _encrypted(info: zipfile.ZipInfo) -> None:
    info.flag_bits |= 1


def _link(info: zipfile.ZipInfo) -> None:
    if info.filename.endswith("helper"):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16


def _odd_compression() -> bytes:
    """As no reader of ours knows it: method 99."""
    content = bytearray(GOOD)
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = content.find(mark)
        content[place + at : place + at + 2] = (99).to_bytes(2, "little")
    return bytes(content)


def _flag_set(bit: int) -> bytes:
    content = bytearray(GOOD)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        content[place + at] |= bit
    return bytes(content)


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no zip": b"not a zip",
    "an empty zip": b"PK\x05\x06" + bytes(18),
    "a path that leads outside": _with(("../../../../outside", b"x")),
    "an absolute path": _with(("/tmp/outside", b"x")),
    "a script that leads outside": _with((f"{_DATA}/scripts/../../outside", b"x")),
    "data that leads outside": _with((f"{_DATA}/data/../outside", b"x")),
    "a scheme that there is none of": _with((f"{_DATA}/etc/outside", b"x")),
    "the interpreter": _with((f"{_DATA}/data/bin/python", b"x")),
    "something below the interpreter": _with((f"{_DATA}/data/bin/python/x", b"x")),
    "the program twice": _with((f"{_DATA}/scripts/zeroserve", b"x")),
    "a file and a folder of one name": _with(("zeroserve/engine.so/x", b"x")),
    "a name that is too long": _with((f"zeroserve/{'n' * 300}", b"x")),
    "a link": _pack(list(_FILES.items()), touch=_link),
    "a wrong hash": _pack(
        list(_FILES.items()), lambda lines: [lines[0].replace("=", "=A", 1), *lines[1:]]
    ),
    "a wrong size": _pack(list(_FILES.items()), lambda lines: [f"{lines[0]}1", *lines[1:]]),
    "a member that RECORD has not": _pack(list(_FILES.items()), lambda lines: lines[1:]),
    "a RECORD that is none": _pack(list(_FILES.items()), lambda lines: ['"', *lines]),
    "a RECORD line without columns": _pack(list(_FILES.items()), lambda lines: ["x", *lines]),
    "a hash of another kind": _pack(
        list(_FILES.items()), lambda lines: [each.replace("sha256=", "crc32=") for each in lines]
    ),
    "encrypted": _flag_set(1),
    "compressed in an odd way": _odd_compression(),
    "a program whose name leads outside": _pack(
        [
            (name, b"[console_scripts]\n../../outside = a:b\n" if "entry" in name else content)
            for name, content in _FILES.items()
        ]
    ),
    "entry points that are none": _pack(
        [(n, b"[[[\n= = =" if "entry" in n else content) for n, content in _FILES.items()]
    ),
    "a version of wheels to come": _pack(
        [(n, c.replace(b"1.0", b"9.0") if n.endswith("WHEEL") else c) for n, c in _FILES.items()]
    ),
    "two of them": _with(("other-1.dist-info/METADATA", b"Name: other\n")),
    "no UTF-8": _pack([(n, b"\xff\xfe" if "WHEEL" in n else c) for n, c in _FILES.items()]),
    "a stretch that does not unpack": GOOD.replace(
        GOOD[(start := GOOD.find(b"engine.so") + 9) : start + 6], b"\xff" * 6, 1
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_is_refused(name: str) -> None:
    assert _installed(BAD[name]) is None


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused() -> None:
    """Which of the two is judged, and which is installed, would be the library's choice."""
    assert _installed(_with(("zeroserve/__init__.py", b"another"))) is None


def test_what_is_wrong_is_told_shortly(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "blob").write_bytes(_pack(list(_FILES.items()), lambda lines: []))
    with pytest.raises(ProgramRefused, match="not mentioned in RECORD") as refused:
        wheels._unpack(tmp_path / "blob", tmp_path / "home")
    assert len(refused.value.message) < 600


def test_one_that_would_fill_the_disk_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = _with(("zeroserve/zeros", bytes(1 << 20)))
    assert len(bomb) < 8192
    assert _installed(bomb) is not None
    monkeypatch.setattr(wheels, "_BYTES_MAX", 1 << 20)
    assert _installed(bomb) is None
    monkeypatch.setattr(wheels, "_MEMBERS_MAX", 3)
    assert _installed(GOOD) is None


def test_one_that_lies_about_its_size_is_refused() -> None:
    """What is written is bounded by the size that is claimed."""
    content = bytearray(_with(("zeroserve/zeros", bytes(1 << 20))))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.rfind(b"zeroserve/zeros")
        place = content.rfind(mark, 0, content.find(b"zeroserve/zeros") if at == 22 else place)
        content[place + at : place + at + 4] = (16).to_bytes(4, "little")
    assert _installed(bytes(content)) is None


# -- any bytes -----------------------------------------------------------------------

_QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
_EDITS = st.lists(
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), st.binary(max_size=12)),
    min_size=1,
    max_size=6,
)


@_QUICK
@given(_EDITS)
@pytest.mark.filterwarnings("ignore")
def test_a_wheel_with_any_bytes_changed(edits: list[tuple[int, int, bytes]]) -> None:
    content = GOOD
    for at, gone, put in edits:
        content = content[:at] + put + content[at + gone :]
    _installed(content)


_SEGMENT = st.sampled_from(
    ["..", ".", "", "zeroserve", "bin", "python", "lib64", "outside", "~", "C:", "a\\b", "\0", "é",
     _DATA, _INFO, "data", "scripts", "purelib", "platlib", "headers", "RECORD", "METADATA"]
)  # fmt: skip
_NAMES = st.lists(_SEGMENT, min_size=1, max_size=6).map("/".join)


@_QUICK
@given(st.lists(st.tuples(_NAMES, st.binary(max_size=64)), max_size=4), st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_a_wheel_with_any_names(more: list[Member], honest: bool) -> None:
    """With a RECORD that fits, or of the first members only."""
    keep = len(_FILES) + (len(more) if honest else 0)
    _installed(_pack([*_FILES.items(), *more], lambda lines: lines[:keep]))


@_QUICK
@given(
    st.sampled_from(sorted(_FILES)), st.one_of(st.binary(max_size=200), st.text().map(str.encode))
)
@pytest.mark.filterwarnings("ignore")
def test_a_wheel_with_any_metadata(name: str, content: bytes) -> None:
    _installed(_pack([(n, content if n == name else c) for n, c in _FILES.items()]))
