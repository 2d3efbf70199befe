"""Check: every fault is found, named once, and told apart; good input has none."""

import dataclasses
import io
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from server_trees import FILES
from support.process import run

from zeroserve.check import check_pair, check_path
from zeroserve.errors import EXPLANATIONS
from zeroserve.pack import ustar
from zeroserve.pack.member_index import INDEX_PATH, Member, encode_index, read_index


def codes(path: Path) -> list[str]:
    findings = check_path(path)
    for finding in findings:
        assert finding.code in EXPLANATIONS
        assert "\n" not in finding.text
        assert path.name in finding.text
    return [finding.code for finding in findings]


def foreign(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_a_packed_site_is_good(packed: Path) -> None:
    assert check_path(packed) == ()


def test_a_foreign_tar_is_good(tmp_path: Path) -> None:
    assert codes(foreign(tmp_path / "s.tar", ("./a", b"1"), ("b/c", b"2"))) == []


@pytest.mark.parametrize(
    ("members", "want"),
    [
        ([("../a", b"")], ["member-path"]),
        ([("a/../../b", b"")], ["member-path"]),
        ([("/etc/passwd", b"")], ["member-path"]),
        ([("a", b"1"), ("a", b"2")], ["member-duplicate"]),
        ([("a", b"1"), ("./a", b"2")], ["member-duplicate"]),
        ([(".zeroserve/scripts/a.o", b"")], ["script-refused"]),
        (
            [("../a", b""), ("/b", b""), ("c", b""), ("c", b"")],
            ["member-path", "member-path", "member-duplicate"],
        ),
        ([], ["site-empty"]),
    ],
)
def test_bad_members(tmp_path: Path, members: list[tuple[str, bytes]], want: list[str]) -> None:
    assert codes(foreign(tmp_path / "s.tar", *members)) == want


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_bytes(b"hello " * 200)
    (tmp_path / "folder").mkdir()
    assert codes(tmp_path / "missing") == ["site-missing"]
    assert codes(tmp_path / "empty") == ["site-empty"]
    assert codes(tmp_path / "text") == ["site-not-tar"]
    assert codes(tmp_path / "folder") == ["site-is-directory"]


@pytest.mark.parametrize("cut", [600, 1100, 3000])
def test_a_truncated_site(packed: Path, cut: int) -> None:
    packed.write_bytes(packed.read_bytes()[:cut])
    assert "site-truncated" in codes(packed)


def test_a_changed_member(packed: Path) -> None:
    member = next(one for one in read_index(packed).members if one.path == "index.html")
    data = bytearray(packed.read_bytes())
    data[member.offset] ^= 1
    packed.write_bytes(data)
    findings = check_path(packed)
    assert [finding.code for finding in findings] == ["member-digest"]
    assert "index.html" in findings[0].text


def rebuilt(packed: Path, change: Callable[[list[Member]], list[Member]]) -> None:
    """Write the archive again with a changed list in its index; the headers stay as they are."""
    data = packed.read_bytes()
    members = list(read_index(packed).members)
    size = len(encode_index(members))
    rest = data[512 + size + ustar.padding(size) :]
    # An index of another length moves every member.
    new = encode_index(change(members))
    shift = 512 + len(new) + ustar.padding(len(new)) - (len(data) - len(rest))
    moved = [dataclasses.replace(one, offset=one.offset + shift) for one in members]
    new = encode_index(change(moved))
    head = ustar.header_bytes(INDEX_PATH, len(new), 0)
    packed.write_bytes(head + new + bytes(ustar.padding(len(new))) + rest)


@pytest.mark.parametrize(
    ("field", "value", "extra"),
    [
        ("offset", 512, ["member-digest"]),
        ("size", 1, ["member-digest"]),
        ("mtime", 5, []),
        ("offset", 2**63, []),
    ],
)
def test_an_index_that_contradicts_the_headers(
    packed: Path, field: str, value: int, extra: list[str]
) -> None:
    rebuilt(
        packed, lambda members: [dataclasses.replace(members[0], **{field: value}), *members[1:]]
    )
    found = codes(packed)
    assert found[0] == "index-mismatch"
    assert [code for code in found if code != "index-mismatch"] == extra


def test_a_member_only_in_the_archive(packed: Path) -> None:
    rebuilt(packed, lambda members: members[:-1])
    findings = check_path(packed)
    assert [finding.code for finding in findings] == ["index-mismatch"]
    assert "page.html" in findings[0].text


def test_a_lying_site_digest(packed: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[512 + 16] ^= 1
    packed.write_bytes(data)
    assert codes(packed) == ["site-digest"]


def test_a_damaged_index(packed: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[512] ^= 1
    packed.write_bytes(data)
    assert codes(packed) == ["index-bad"]


def test_a_release(make_release: Callable[..., Path]) -> None:
    assert check_path(make_release("r1", FILES)) == ()


@pytest.mark.parametrize("field", ["release_digest", "site_digest"])
def test_a_manifest_with_another_digest(make_release: Callable[..., Path], field: str) -> None:
    directory = make_release("r1", FILES, **{field: "sha256:" + "0" * 64})
    findings = check_path(directory)
    assert [finding.code for finding in findings] == ["manifest-mismatch"]
    assert field in findings[0].text


@pytest.mark.parametrize(
    "change", [{"size": 1}, {"release": 5}, {"size": "x"}, {"v": 2}, {"site_digest": "sha256:xyz"}]
)
def test_a_bad_manifest(make_release: Callable[..., Path], change: dict[str, object]) -> None:
    found = [finding.code for finding in check_path(make_release("r1", FILES, **change))]
    assert found in (["manifest-bad"], ["manifest-mismatch"])


def test_a_release_with_everything_wrong(make_release: Callable[..., Path]) -> None:
    directory = make_release("r1", FILES)
    (directory / "manifest.json").write_text("{")
    (directory / "site.tar").write_bytes(b"")
    (directory / "tls/key.pem").write_text("nothing")
    assert [finding.code for finding in check_path(directory)] == [
        "site-empty",
        "manifest-bad",
        "key-bad",
    ]
    (directory / "manifest.json").unlink()
    assert "manifest-missing" in [finding.code for finding in check_path(directory)]


def test_pairs(tmp_path: Path) -> None:
    assert [one.code for one in check_pair(tmp_path / "c", tmp_path / "k")] == [
        "certificate-unreadable",
        "key-unreadable",
    ]
    assert [one.code for one in check_pair(tmp_path / "c", None)] == ["usage"]


def test_the_engine_is_never_loaded(packed: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['zeroserve._engine'] = None\n"
        "sys.modules['_cffi_backend'] = None\n"
        "from zeroserve.cli.app import run\n"
        "codes = [run(['check', sys.argv[1]]), run(['pack', sys.argv[2], '-o', sys.argv[3]])]\n"
        "assert codes == [0, 0], codes\n"
    )
    tree, second = packed.parent / "tree", packed.with_name("site.tar2")
    done = run([sys.executable, "-c", code, packed, tree, second])
    assert done.code == 0, done.stderr
    assert second.read_bytes() == packed.read_bytes()
