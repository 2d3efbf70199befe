"""Packing: the same tree gives the same bytes; what changes is refused; a file appears whole."""

import hashlib
import io
import os
import random
import sys
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_trees import FILES, pack_bytes, write_tree
from support.process import PROGRAMS, run

from zeroserve.errors import PackRefused
from zeroserve.pack import archive
from zeroserve.pack.archive import (
    PackOptions,
    atomic_output,
    epoch_from_environment,
    pack,
)


def test_every_tar_program_reads_it(tree: Path) -> None:
    data, result = pack_bytes(tree)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        assert names == [".zeroserve/members.bin", *sorted(FILES)]
        for name, content in FILES.items():
            member = tar.extractfile(name)
            assert member is not None
            assert member.read() == content
        assert {(one.uid, one.gid, one.mode, one.mtime) for one in tar} == {(0, 0, 0o644, 0)}
    assert result.members == len(FILES)
    assert result.size == len(data)
    assert result.release_digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_creation_order_rights_and_times_leave_no_trace(tmp_path: Path) -> None:
    want, _ = pack_bytes(write_tree(tmp_path / "first", FILES))
    names = list(FILES)
    for seed in range(5):
        random.Random(seed).shuffle(names)
        root = write_tree(tmp_path / f"tree{seed}", {name: FILES[name] for name in names})
        for path in root.rglob("*"):
            if path.is_file():
                path.chmod(0o600 + seed)
                os.utime(path, (seed, seed * 1000))
        assert pack_bytes(root)[0] == want


@pytest.mark.parametrize(
    "environment",
    [{"TZ": "Asia/Tokyo"}, {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, {"PYTHONHASHSEED": "7"}],
)
def test_time_zone_locale_and_umask_leave_no_trace(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    root = write_tree(tmp_path / "tree", {**FILES, "ümlaut.txt": b"1", "z/日本.html": b"2"})
    want, _ = pack_bytes(root)
    output = tmp_path / "site.tar"
    mask = os.umask(0o027)
    try:
        done = run([PROGRAMS / "zeroserve", "pack", root, "-o", output], env=environment)
    finally:
        os.umask(mask)
    assert done.code == 0, done.stderr
    assert output.read_bytes() == want
    assert output.stat().st_mode & 0o777 == 0o640


segments = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=60,
).filter(lambda text: text not in (".", "..") and len(text.encode()) < 200)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.lists(segments, min_size=1, max_size=4).map("/".join),
        st.binary(max_size=2000),
        min_size=1,
    )
)
def test_any_tree_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    made: dict[str, bytes] = {}
    for name, content in files.items():
        target = root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError:
            continue  # one name is both a file and a folder, or too long
        made[name] = content
    try:
        data, _ = pack_bytes(root, PackOptions(include_hidden=True))
    except PackRefused as error:
        assert error.code in ("pack-duplicate", "pack-empty")  # noqa: PT017
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    del found[".zeroserve/members.bin"]
    assert found == {name: content for name, content in made.items() if (root / name).is_file()}


def test_the_epoch_is_the_time_of_every_member(tree: Path) -> None:
    data, _ = pack_bytes(tree, PackOptions(mtime=1_700_000_000))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {one.mtime for one in tar} == {1_700_000_000}


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "²", "9" * 30])
def test_a_bad_epoch_is_refused(text: str) -> None:
    with pytest.raises(PackRefused, match="SOURCE_DATE_EPOCH"):
        epoch_from_environment({"SOURCE_DATE_EPOCH": text})


def test_no_epoch_means_no_time() -> None:
    assert epoch_from_environment({}) == epoch_from_environment({"SOURCE_DATE_EPOCH": ""}) == 0
    assert epoch_from_environment({"SOURCE_DATE_EPOCH": "12"}) == 12


class _Changes(io.BytesIO):
    """An output that changes a file of the tree when the first bytes come."""

    def __init__(self, change: Path, content: bytes) -> None:
        super().__init__()
        self._change: Path | None = change
        self._content = content

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self._change is not None:
            self._change.write_bytes(self._content)
            self._change = None
        return super().write(data)


@pytest.mark.parametrize("content", [b"longer than before, by far", b"s", b"<h1>other</h1>"])
def test_a_file_that_changes_meanwhile_is_refused(tree: Path, content: bytes) -> None:
    with pytest.raises(PackRefused) as caught:
        pack(tree, _Changes(tree / "index.html", content), PackOptions())
    assert caught.value.code == "pack-changed"
    assert "index.html" in caught.value.message


def test_a_placeholder_across_two_reads_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zeroserve.pack.member_index import read_index

    monkeypatch.setattr(archive, "CHUNK_BYTES", 5)
    root = write_tree(tmp_path / "tree", {"x.html": b"123<zs-meta>k", "y.html": b"<zs-met"})
    (tmp_path / "site.tar").write_bytes(pack_bytes(root)[0])
    found = {one.path: one.has_placeholder for one in read_index(tmp_path / "site.tar").members}
    assert found == {"x.html": True, "y.html": False}


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    with (root / "big.bin").open("wb") as file:
        file.truncate(300 << 20)
    code = (
        "import sys; from pathlib import Path; from zeroserve.pack.archive import *\n"
        "pack(Path(sys.argv[1]), open('/dev/null', 'wb'), PackOptions())\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = run([sys.executable, "-c", code, root])
    assert int(done.stdout) < 80 << 10  # KiB


def _half(file: BinaryIO) -> BinaryIO:
    file.write(b"half of an archive")
    return file


def test_an_output_file_is_whole_or_untouched(tmp_path: Path) -> None:
    target = tmp_path / "site.tar"
    target.write_bytes(b"old")
    with pytest.raises(PackRefused), atomic_output(target) as file:
        pack(tmp_path / "no-such-tree", _half(file), PackOptions())
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["site.tar"]
    with atomic_output(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackRefused) as caught, atomic_output(tmp_path / "no" / "site.tar"):
        pass
    assert caught.value.code == "pack-output"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "site.tar"
    target.write_bytes(b"old")
    with pytest.raises(PackRefused, match="no space"), atomic_output(target):
        raise OSError(28, "No space left on device")
    assert target.read_bytes() == b"old"
