"""The walk: what is packed, what is left out with a warning, what is refused."""

import os
import socket
from pathlib import Path

import pytest
from server_trees import write_tree

from zeroserve.errors import PackRefused
from zeroserve.pack.walk import walk

KEY = b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
CERT = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

LEFT_OUT = {
    ".git/config": b"",
    "sub/.hg/x": b"",
    ".svn/x": b"",
    ".env": b"SECRET=1",
    ".env.local": b"",
    "sub/.envrc": b"",
    "server.key": b"x",
    "id_rsa": b"x",
    "store.p12": b"x",
    "tls.pem": KEY,
    "both.pem": CERT + KEY,
    "ec.txt": b"\n-----BEGIN EC PRIVATE KEY-----\n",
    "index.html~": b"",
    ".index.html.swp": b"",
    "#index.html#": b"",
    "old.bak": b"",
}
KEPT = {
    "index.html": b"<pre>-----BEGIN PRIVATE KEY-----</pre>",
    "manual.txt": b"a key looks so:\n-----BEGIN RSA PRIVATE KEY-----\n",
    "chain.pem": CERT,
    ".well-known/security.txt": b"",
    ".zeroserve/data.json": b"{}",
    ".hidden": b"",
    "environment": b"",
    "key": b"",
}


def names(root: Path, *, include_hidden: bool = False) -> list[str]:
    return [file.path for file in walk(root, include_hidden=include_hidden).files]


def test_secrets_and_clutter_are_left_out_and_named(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {**LEFT_OUT, **KEPT})
    result = walk(root, include_hidden=False)
    assert [file.path for file in result.files] == sorted(KEPT)
    warned = {warning.split("`")[1] for warning in result.warnings}
    assert warned == {
        *(name for name in LEFT_OUT if "/" not in name),
        ".git",
        "sub/.hg",
        ".svn",
        "sub/.envrc",
    }


def test_include_hidden_keeps_everything(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {**LEFT_OUT, **KEPT})
    assert names(root, include_hidden=True) == sorted({**LEFT_OUT, **KEPT})


def test_order_is_by_bytes_not_by_folder(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", dict.fromkeys(["a/z", "a.b", "a-b", "Z", "é", "z"], b""))
    assert names(root) == ["Z", "a-b", "a.b", "a/z", "z", "é"]


def test_an_old_member_index_is_written_anew(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"a": b"", ".zeroserve/members.bin": b"old"})
    for include_hidden in (False, True):
        result = walk(root, include_hidden=include_hidden)
        assert [file.path for file in result.files] == ["a"]
        assert ".zeroserve/members.bin" in result.warnings[0]


def test_links_inside_are_left_out_and_named(tree: Path) -> None:
    (tree / "file-link").symlink_to("index.html")
    (tree / "folder-link").symlink_to("a")
    (tree / "dangling").symlink_to("nothing")
    (tree / "a" / "up").symlink_to("../index.html")
    result = walk(tree, include_hidden=True)
    assert not any("link" in file.path for file in result.files)
    assert [warning.split("`")[1] for warning in result.warnings] == [
        "a/up",
        "dangling",
        "file-link",
        "folder-link",
    ]


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "a/../../outside", ".."])
def test_links_out_of_the_tree_are_refused(tree: Path, target: str) -> None:
    (tree / "a" / "leaves").symlink_to("../../outside" if target == "../outside" else target)
    (tree / "leaves").symlink_to(target)
    with pytest.raises(PackRefused) as caught:
        walk(tree, include_hidden=False)
    assert caught.value.code == "pack-link-outside"
    assert "leaves" in caught.value.message


def test_a_neighbour_with_the_same_beginning_is_outside(tree: Path) -> None:
    neighbour = tree.parent / (tree.name + "-2")
    neighbour.mkdir()
    (neighbour / "x").write_text("")
    (tree / "leaves").symlink_to(neighbour / "x")
    with pytest.raises(PackRefused):
        walk(tree, include_hidden=False)


def test_the_root_itself_may_be_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert names(tmp_path / "link") == names(tree)


def test_pipes_and_sockets_are_left_out_and_named(tree: Path, short_dir: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_dir / "s"))
        (short_dir / "s").rename(tree / "socket")
        warnings = walk(tree, include_hidden=False).warnings
    assert [warning.split("`")[1] for warning in warnings] == ["pipe", "socket"]


def test_names_equal_but_for_unicode_form_are_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"\u00e9": b"", "e\u0301": b""})
    with pytest.raises(PackRefused) as caught:
        walk(root, include_hidden=False)
    assert caught.value.code == "pack-duplicate"


def test_a_name_that_is_not_utf8_is_refused(tree: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff.txt")).write_bytes(b"")
    with pytest.raises(PackRefused) as caught:
        walk(tree, include_hidden=False)
    assert caught.value.code == "pack-name"
    assert r"\xff.txt" in caught.value.message


def test_a_tree_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    with pytest.raises(PackRefused) as caught:
        walk(tmp_path / "tree", include_hidden=False)
    assert caught.value.code == "pack-empty"


@pytest.mark.parametrize("name", ["missing", "file"])
def test_only_a_directory_is_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PackRefused, match="--pack expects a directory, got"):
        walk(tmp_path / name, include_hidden=False)
