"""Check of rules, hosts and coded forms in an archive."""

import io
import tarfile
from pathlib import Path

import pytest
from server_trees import pack_bytes, write_tree

from zeroserve.check import check_path
from zeroserve.pack import coding as codings
from zeroserve.pack import precompress
from zeroserve.pack.archive import PackOptions

TEXT = b"".join(b"line %d of a text that shrinks\n" % number for number in range(400))


def foreign(tmp_path: Path, files: dict[str, bytes]) -> Path:
    site = tmp_path / "foreign.tar"
    with tarfile.open(site, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return site


def codes(site: Path) -> list[str]:
    return [finding.code for finding in check_path(site)]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({".zeroserve/rules.json": b'{"v":1}'}, []),
        ({".zeroserve/rules.json": b'{"v":2}'}, ["rules-bad"]),
        ({".zeroserve/hosts.json": b'{"*":"a"}'}, []),
        ({".zeroserve/hosts.json": b'{"*":"b"}'}, ["hosts-bad"]),
        ({".zeroserve/hosts.json": b'{"*":"a"}', "a/.zeroserve/rules.json": b"?"}, ["rules-bad"]),
        # With hosts the top is no root: nobody follows its rules.
        ({".zeroserve/hosts.json": b'{"*":"a"}', ".zeroserve/rules.json": b"?"}, []),
        ({"a/.zeroserve/rules.json": b"?"}, []),
        ({".zeroserve/rules.json": b" " * (17 << 20)}, ["rules-bad"]),
    ],
)
def test_documents(tmp_path: Path, files: dict[str, bytes], found: list[str]) -> None:
    assert codes(foreign(tmp_path, {"a/index.html": b"", **files})) == found


@pytest.fixture
def precompressed(tmp_path: Path) -> Path:
    tree = write_tree(tmp_path / "tree", {"a.css": TEXT, "index.html": b""})
    site = tmp_path / "site.tar"
    site.write_bytes(pack_bytes(tree, PackOptions(precompress=("br", "zstd", "gzip")))[0])
    return site


def test_good_forms_are_good(precompressed: Path) -> None:
    assert codes(precompressed) == []


@pytest.mark.parametrize("suffix", [".br", ".zst", ".gz"])
def test_a_lying_form_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """An archive of a packer that links whatever has the name: digests fit, content doesn't."""
    monkeypatch.setattr(precompress, "matches", lambda *_: True)
    other = next(one for one in codings.CODINGS if one.suffix == suffix)
    files = {"a.css": TEXT, "a.css" + suffix: codings.encode(other, TEXT + b"x")}
    site = tmp_path / "site.tar"
    site.write_bytes(pack_bytes(write_tree(tmp_path / "lie", files))[0])
    monkeypatch.undo()
    assert codes(site) == ["coded-form"]


def test_without_libraries_it_says_what_was_not_looked_at(
    precompressed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {"brotli", "zstandard"}
    monkeypatch.setattr(codings, "find_spec", lambda name: None if name in hidden else object())
    found = check_path(precompressed)
    assert [one.code for one in found] == ["coded-form-unchecked"] * 2
    assert not any(one.is_error for one in found)
