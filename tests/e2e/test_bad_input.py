"""Bad input: one clear line, the documented exit code, no traceback; and what serves goes on."""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection
from support.polling import wait_until
from support.process import Finished, zeroserve
from support.releases import stage, write_manifest
from support.server import Server
from support.trees import foreign_tar, pack_files, pattern, write_tree

from zeroserve.errors import EXPLANATIONS

pytestmark = pytest.mark.e2e

GOOD = {"index.html": b"good", "page.html": pattern("page", 9000)}
ERROR = re.compile(r"^error\[([a-z-]+)\]: (.+)$", re.MULTILINE)


def complaint(finished: Finished, code: int) -> tuple[str, str]:
    """The (code, text) of the one error, or an assertion that says what is wrong with it."""
    everything = finished.stderr + finished.stdout.decode(errors="replace")
    assert "Traceback" not in everything, everything
    assert "panicked" not in everything, everything
    assert finished.code == code, everything
    found = ERROR.findall(finished.stderr)
    assert len(found) == 1, everything
    name, text = found[0]
    assert name in EXPLANATIONS, name
    assert len(finished.stderr.strip().splitlines()) <= 6, everything
    return str(name), str(text)


# Tarballs. Each writes something bad to a path, and names the codes that may be told for it.


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def empty_tar(path: Path) -> None:
    foreign_tar(path, [])


def only_folders(path: Path) -> None:
    with tarfile.open(path, "w") as file:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)


def directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def cut(end: Callable[[int], int]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pack_files(GOOD, path)
        os.truncate(path, end(path.stat().st_size))

    return write


def cut_foreign(path: Path) -> None:
    foreign_tar(path, list(GOOD.items()))
    os.truncate(path, 512 + 512 + 512 + 4000)


def gzipped(path: Path) -> None:
    pack_files(GOOD, path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def text(path: Path) -> None:
    path.write_text("<!doctype html><title>not a tar</title>" * 100)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(10240))


def leaving(path: Path) -> None:
    foreign_tar(path, [("index.html", b"x"), ("../outside.txt", b"x")])


def leaving_inside(path: Path) -> None:
    foreign_tar(path, [("index.html", b"x"), ("a/../../outside.txt", b"x")])


def absolute(path: Path) -> None:
    foreign_tar(path, [("index.html", b"x"), ("/etc/passwd", b"x")])


def bad_checksum(path: Path) -> None:
    pack_files(GOOD, path)
    data = bytearray(path.read_bytes())
    data[148:154] = b"000000"
    path.write_bytes(data)


def damaged_index(path: Path) -> None:
    pack_files(GOOD, path)
    data = bytearray(path.read_bytes())
    data[512 + 8 : 512 + 12] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)


def lying_offset(path: Path) -> None:
    pack_files(GOOD, path)
    data = bytearray(path.read_bytes())
    data[512 + 64 : 512 + 72] = (512).to_bytes(8, "little")
    path.write_bytes(data)


def sparse(path: Path) -> None:
    foreign_tar(path, [("index.html", b"x")])
    data = bytearray(path.read_bytes())
    data[156:157] = b"S"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)


def with_script(path: Path) -> None:
    foreign_tar(path, [("index.html", b"x"), (".zeroserve/scripts/a.o", b"\x7fELF")])


TARBALLS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "missing": (missing, {"site-missing"}),
    "empty file": (empty_file, {"site-empty"}),
    "empty tar": (empty_tar, {"site-empty"}),
    "zeros only": (zeros, {"site-empty"}),
    "only folders": (only_folders, {"site-empty"}),
    "directory": (directory, {"site-is-directory"}),
    "cut in the last member": (cut(lambda size: size - 1024 - 5000), {"site-truncated"}),
    "cut in the index": (cut(lambda _: 700), {"site-truncated", "index-bad"}),
    "cut in a header": (cut(lambda size: size - 1024 - 9216 - 100), {"site-truncated"}),
    "cut foreign": (cut_foreign, {"site-truncated"}),
    "gzip": (gzipped, {"site-not-tar"}),
    "text": (text, {"site-not-tar"}),
    "bad checksum": (bad_checksum, {"site-not-tar"}),
    "member leaves the tree": (leaving, {"member-path"}),
    "member leaves from inside": (leaving_inside, {"member-path"}),
    "absolute member": (absolute, {"member-path"}),
    "damaged index": (damaged_index, {"index-bad"}),
    "lying offset": (lying_offset, {"index-mismatch", "index-bad"}),
    "sparse": (sparse, {"member-sparse"}),
    "script": (with_script, {"script-refused"}),
}


@pytest.mark.parametrize("name", TARBALLS)
def test_a_bad_tarball_is_refused_by_start(name: str, tmp_path: Path) -> None:
    spoil, codes = TARBALLS[name]
    tar = tmp_path / "site.tar"
    spoil(tar)
    code, told = complaint(zeroserve("--addr", "127.0.0.1:0", tar), 1)
    assert code in codes | {"config-refused"}
    assert str(tar) in told


@pytest.mark.parametrize("name", TARBALLS)
def test_a_bad_tarball_is_refused_by_check(name: str, tmp_path: Path) -> None:
    spoil, codes = TARBALLS[name]
    tar = tmp_path / "site.tar"
    spoil(tar)
    finished = zeroserve("check", tar)
    assert finished.code == 1
    assert "Traceback" not in finished.stderr
    found = dict(ERROR.findall(finished.stderr))
    assert found.keys() & codes, finished.stderr
    assert all(str(tar) in told for told in found.values())


@pytest.mark.parametrize("signalled", [False, True])
@pytest.mark.parametrize("name", TARBALLS)
def test_a_bad_tarball_keeps_the_old_site_at_a_reload(
    name: str, signalled: bool, tmp_path: Path
) -> None:
    spoil, _ = TARBALLS[name]
    tar = pack_files(GOOD, tmp_path / "site.tar")
    with Server(tar, "--addr", "127.0.0.1:0", place=tmp_path / "run") as server:
        fresh = tmp_path / "fresh.tar"
        spoil(fresh)
        tar.unlink()  # the old inode stays open
        if fresh.exists():
            fresh.rename(tar)
        if signalled:
            server.program.send(signal.SIGHUP)
            server.program.wait_said("refused, the old site is still served")
        else:
            answer = server.control.reload(None)
            assert not answer.ok
            assert str(tar) in (answer.error or "")
        wait_until(lambda: server.control.status()["last_reload"], what="the outcome")
        status = server.control.status()
        last = status["last_reload"]
        assert isinstance(last, dict)
        assert last["ok"] is False
        assert str(tar) in last["error"]
        assert status["generation"] == 1
        with server.connect_plain() as connection:
            assert connection.ask("/").body == GOOD["index.html"]
            assert connection.ask("/page.html").body == GOOD["page.html"]
        # A rename of a good one heals it.
        if tar.is_dir():
            tar.rmdir()
        pack_files({"index.html": b"healed"}, tar)
        assert server.control.reload(None).ok
        with server.connect_plain() as connection:
            assert connection.ask("/").body == b"healed"


def test_a_refused_reload_is_a_409_and_the_verb_exits_with_1(tmp_path: Path) -> None:
    tar = pack_files(GOOD, tmp_path / "site.tar")
    with Server(tar, "--addr", "127.0.0.1:0", place=tmp_path / "run") as server:
        tar.write_bytes(b"")
        with Connection.unix(str(server.control_path)) as connection:
            connection.send(b"POST /reload HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = connection.read_answer()
        assert answer.status == 409
        finished = zeroserve("reload", "--control", server.control_path)
        assert complaint(finished, 1)[0] == "reload-refused"
        assert str(tar) in finished.stderr
        told = zeroserve("status", "--control", server.control_path)
        assert told.code == 0
        assert "refused" in told.text


def test_duplicate_members_are_served_with_a_warning(tmp_path: Path) -> None:
    tar = foreign_tar(tmp_path / "twice.tar", [("index.html", b"first"), ("index.html", b"last")])
    with Server(tar, "--addr", "127.0.0.1:0", place=tmp_path) as server:
        assert re.search(r"^warning: .*same name", server.said, re.MULTILINE)
        with server.connect_plain() as connection:
            assert connection.ask("/").body == b"last"
    finished = zeroserve("check", tar)
    assert finished.code == 0
    assert "warning[member-duplicate]" in finished.stderr


def test_pack_refuses_links_out_of_the_tree(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", GOOD)
    for number, target in enumerate(["../outside", "/etc/passwd", "sub/../../x"]):
        link = tree / f"link{number}"
        link.symlink_to(target)
        output = tmp_path / "out.tar"
        code, told = complaint(zeroserve("pack", tree, "-o", output), 1)
        assert code == "pack-link-outside"
        assert link.name in told
        assert not output.exists()
        link.unlink()


def test_pack_leaves_inner_links_out_and_says_so(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", GOOD)
    (tree / "inner.html").symlink_to("page.html")
    finished = zeroserve("pack", tree, "-o", tmp_path / "out.tar")
    assert finished.code == 0
    assert re.search(r"^warning: .*inner\.html", finished.stderr, re.MULTILINE)


@pytest.mark.parametrize("what", ["missing", "file", "empty"])
def test_pack_wants_a_folder_with_files(what: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    if what == "file":
        tree.write_bytes(b"x")
    elif what == "empty":
        tree.mkdir()
    for arguments in (("pack", tree, "-o", tmp_path / "o.tar"), ("--pack", tree)):
        code, told = complaint(zeroserve(*arguments), 1)
        assert code == ("pack-empty" if what == "empty" else "pack-not-directory")
        assert str(tree) in told
    assert not (tmp_path / "o.tar").exists()


# Certificates and keys.


@dataclass
class Pair:
    cert: Path
    key: Path


def garbage_certificate(pair: Pair, _other: Certificate) -> None:
    pair.cert.write_text("-----BEGIN CERTIFICATE-----\nbm90IERFUg==\n-----END CERTIFICATE-----\n")


def binary_certificate(pair: Pair, _other: Certificate) -> None:
    pair.cert.write_bytes(pattern("certificate", 800))


def empty_certificate(pair: Pair, _other: Certificate) -> None:
    pair.cert.write_bytes(b"")


def missing_certificate(pair: Pair, _other: Certificate) -> None:
    pair.cert.unlink()


def garbage_key(pair: Pair, _other: Certificate) -> None:
    pair.key.write_text("-----BEGIN PRIVATE KEY-----\nbm90IERFUg==\n-----END PRIVATE KEY-----\n")


def empty_key(pair: Pair, _other: Certificate) -> None:
    pair.key.write_bytes(b"")


def missing_key(pair: Pair, _other: Certificate) -> None:
    pair.key.unlink()


def key_is_a_directory(pair: Pair, _other: Certificate) -> None:
    pair.key.unlink()
    pair.key.mkdir()


def other_key(pair: Pair, other: Certificate) -> None:
    pair.key.write_bytes(other.key.read_bytes())


def swapped(pair: Pair, _other: Certificate) -> None:
    cert, key = pair.cert.read_bytes(), pair.key.read_bytes()
    pair.cert.write_bytes(key)
    pair.key.write_bytes(cert)


PAIRS: dict[str, tuple[Callable[[Pair, Certificate], None], set[str], str]] = {
    "garbage certificate": (garbage_certificate, {"certificate-bad"}, "cert.pem"),
    "binary certificate": (binary_certificate, {"certificate-bad"}, "cert.pem"),
    "empty certificate": (empty_certificate, {"certificate-bad"}, "cert.pem"),
    "missing certificate": (missing_certificate, {"certificate-unreadable"}, "cert.pem"),
    "garbage key": (garbage_key, {"key-bad"}, "key.pem"),
    "empty key": (empty_key, {"key-bad"}, "key.pem"),
    "missing key": (missing_key, {"key-unreadable"}, "key.pem"),
    "key is a directory": (key_is_a_directory, {"key-unreadable"}, "key.pem"),
    "other key": (other_key, {"key-mismatch"}, "key.pem"),
    "swapped": (swapped, {"certificate-bad", "key-bad"}, "cert.pem"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_bad_pair_is_refused_by_start_and_check(
    name: str, tmp_path: Path, hello_tar: Path
) -> None:
    spoil, codes, named = PAIRS[name]
    made = Certificate.make(tmp_path / "tls")
    spoil(Pair(made.cert, made.key), Certificate.make(tmp_path / "other"))
    files = ("--cert", made.cert, "--key", made.key)
    code, told = complaint(zeroserve("--tls-addr", "127.0.0.1:0", *files, hello_tar), 1)
    assert code in codes | {"config-refused"}
    assert named in told
    checked = zeroserve("check", *files, hello_tar)
    assert checked.code == 1
    assert {code for code, _ in ERROR.findall(checked.stderr)} & codes, checked.stderr


@pytest.mark.parametrize("name", PAIRS)
def test_a_bad_pair_keeps_everything_old_at_a_reload(name: str, tmp_path: Path) -> None:
    spoil, _, named = PAIRS[name]
    made = Certificate.make(tmp_path / "tls")
    tar = pack_files(GOOD, tmp_path / "site.tar")
    with Server(tar, place=tmp_path / "run", certificate=made) as server:
        context = made.context()
        spoil(Pair(made.cert, made.key), Certificate.make(tmp_path / "other"))
        pack_files({"index.html": b"must not be served with the old certificate"}, tar)
        answer = server.control.reload(None)
        assert not answer.ok
        assert named in (answer.error or "")
        with Connection.tls(server.address(), context) as connection:
            assert connection.ask("/").body == b"good", "all or nothing"


# Releases.


def without_manifest(release: Path) -> None:
    (release / "manifest.json").unlink()


def manifest_is_no_json(release: Path) -> None:
    (release / "manifest.json").write_text("{")


def manifest_of_another_size(release: Path) -> None:
    write_manifest(release, 2, size=5)


def manifest_of_another_site(release: Path) -> None:
    write_manifest(release, 2)


def without_site(release: Path) -> None:
    (release / "site.tar").unlink()


def without_key(release: Path) -> None:
    (release / "tls" / "key.pem").unlink()


def cut_site(release: Path) -> None:
    os.truncate(release / "site.tar", 6000)


RELEASES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no manifest": (without_manifest, "manifest-missing", "manifest.json"),
    "manifest is no JSON": (manifest_is_no_json, "manifest-bad", "manifest.json"),
    "another size": (manifest_of_another_size, "manifest-mismatch", "manifest.json"),
    "another site": (manifest_of_another_site, "manifest-mismatch", "manifest.json"),
    "no site": (without_site, "site-missing", "site.tar"),
    "no key": (without_key, "key-unreadable", "key.pem"),
    "cut site": (cut_site, "manifest-mismatch", "site.tar"),
}


@pytest.mark.parametrize("name", RELEASES)
def test_a_bad_release_is_refused_by_start_check_and_reload(name: str, tmp_path: Path) -> None:
    spoil, code, named = RELEASES[name]
    good, bad = stage(tmp_path / "good", 1, GOOD), stage(tmp_path / "bad", 2, GOOD)
    spoil(bad)
    listen = ("--tls-addr", "127.0.0.1:0", "--release")
    refused, told = complaint(zeroserve(*listen, bad), 1)
    assert (refused, named in told) == (code, True), told
    checked = zeroserve("check", bad)
    assert checked.code == 1
    assert code in {found for found, _ in ERROR.findall(checked.stderr)}, checked.stderr
    current = tmp_path / "current"
    current.symlink_to(good)
    with Server(*listen, current, place=tmp_path / "run") as server:
        context = Certificate(good / "tls" / "cert.pem", good / "tls" / "key.pem").context()
        current.unlink()
        current.symlink_to(bad)
        answer = server.control.reload(None)
        assert not answer.ok
        assert named in (answer.error or "")
        with Connection.tls(server.address(), context) as connection:
            assert connection.ask("/").body == b"good"


def test_a_release_that_is_no_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", pack_files(GOOD, tmp_path / "site.tar")):
        code, told = complaint(zeroserve("--addr", "127.0.0.1:0", "--release", path), 1)
        assert code == "release-missing"
        assert str(path) in told


# The command line.

USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown flag": (("--nonsense", "SITE"), "usage"),
    "misspelt flag": (("--thread", "1", "SITE"), "usage"),
    "announced flag": (("--acme-dir", "x", "SITE"), "not-supported"),
    "announced flag with =": (("--acme-dir=x", "SITE"), "not-supported"),
    "foreign flag": (("--caddy", "Caddyfile"), "not-supported"),
    "announced switch": (("--manual",), "not-supported"),
    "verb without a site": (("explain",), "usage"),
    "cert without key": (("--tls-addr", "127.0.0.1:0", "--cert", "c.pem", "SITE"), "usage"),
    "key without cert": (("--tls-addr", "127.0.0.1:0", "--key", "k.pem", "SITE"), "usage"),
    "cert without listener": (("--cert", "c", "--key", "k", "SITE"), "usage"),
    "listener without cert": (("--tls-addr", "127.0.0.1:0", "SITE"), "usage"),
    "cert and dev-cert": (
        ("--tls-addr", "127.0.0.1:0", "--dev-cert", "--cert", "c", "--key", "k", "SITE"),
        "usage",
    ),
    "zero threads": (("--threads", "0", "SITE"), "usage"),
    "minus one thread": (("--threads", "-1", "SITE"), "usage"),
    "threads in words": (("--threads", "two", "SITE"), "usage"),
    "zero chunk": (("--chunk-size", "0", "SITE"), "usage"),
    "no address": (("--addr", "nonsense", "SITE"), "address-bad"),
    "host name": (("--addr", "localhost:80", "SITE"), "address-bad"),
    "port too high": (("--addr", "127.0.0.1:65536", "SITE"), "address-bad"),
    "negative fd": (("--addr", "fd:-1", "SITE"), "address-bad"),
    "bare v6": (("--addr", "::1:80", "SITE"), "address-bad"),
    "same address twice": (("--addr", "127.0.0.1:1", "--addr", "127.0.0.1:1", "SITE"), "usage"),
    "two sites": (("--addr", "127.0.0.1:0", "SITE", "SITE"), "usage"),
    "site and release": (("--release", "DIR", "SITE"), "usage"),
    "pack and site": (("--pack", "DIR", "SITE"), "usage"),
    "-o without pack": (("-o", "x", "SITE"), "usage"),
    "nothing to serve": (("--addr", "127.0.0.1:0"), "usage"),
    "unknown log format": (("--log-format", "apache", "SITE"), "usage"),
    "check without a path": (("check",), "usage"),
    "flag of a verb": (("status", "--nonsense"), "usage"),
}


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_command_line_exits_with_2(name: str, hello_tar: Path) -> None:
    arguments, code = USAGE[name]
    told = [str(hello_tar) if each == "SITE" else each for each in arguments]
    assert complaint(zeroserve(*told), 2)[0] == code


@pytest.mark.parametrize(
    ("value", "words"), [("0", "value must be greater than zero"), ("x", "invalid number")]
)
def test_numbers_are_refused_in_the_announced_words(
    value: str, words: str, hello_tar: Path
) -> None:
    for flag in ("--threads", "--chunk-size"):
        finished = zeroserve(flag, value, hello_tar)
        assert finished.code == 2
        assert words in finished.stderr


def test_a_port_that_is_taken(hello_tar: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for threads in ("1", "2"):
            finished = zeroserve("--addr", address, "--threads", threads, hello_tar)
            code, told = complaint(finished, 1)
            assert (code, address in told) == ("address-in-use", True)


def test_an_address_of_another_machine(hello_tar: Path) -> None:
    assert complaint(zeroserve("--addr", "192.0.2.1:0", hello_tar), 1)[0] == "address-refused"


def test_a_descriptor_that_is_not_there(hello_tar: Path) -> None:
    assert complaint(zeroserve("--addr", "fd:77", hello_tar), 1)[0] == "address-refused"


@pytest.mark.parametrize("content", [None, b"", b"short", b"not one/secret but several words"])
def test_a_bad_probe_file(content: bytes | None, tmp_path: Path, hello_tar: Path) -> None:
    path = tmp_path / "probe"
    if content is not None:
        path.write_bytes(content)
    finished = zeroserve("--addr", "127.0.0.1:0", "--probe-file", path, hello_tar)
    code, told = complaint(finished, 1)
    assert (code, str(path) in told) == ("probe-bad", True)


def test_a_log_and_a_control_socket_in_no_folder(tmp_path: Path, hello_tar: Path) -> None:
    nowhere = tmp_path / "no" / "where"
    for flag, code in (("--access-log", "log-unwritable"), ("--control", "control-unusable")):
        finished = zeroserve("--addr", "127.0.0.1:0", flag, nowhere, hello_tar)
        found, told = complaint(finished, 1)
        assert (found, str(nowhere) in told) == (code, True)
    long = tmp_path / ("l" * 120)
    finished = zeroserve("--addr", "127.0.0.1:0", "--control", long, hello_tar)
    assert complaint(finished, 1)[0] == "control-unusable"


def test_a_start_that_fails_leaves_no_control_socket(tmp_path: Path) -> None:
    control = tmp_path / "control.sock"
    finished = zeroserve("--control", control, "--addr", "127.0.0.1:0", tmp_path / "no.tar")
    assert complaint(finished, 1)[0] == "site-missing"
    assert not control.exists()


@pytest.mark.parametrize("verb", ["status", "reload"])
def test_asking_a_daemon_that_does_not_run(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    code, told = complaint(zeroserve(verb, "--control", path), 1)
    assert (code, str(path) in told) == ("daemon-not-running", True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert complaint(zeroserve(verb, "--control", path), 1)[0] == "daemon-not-running"
    path.unlink()
    path.write_text("a file")
    assert complaint(zeroserve(verb, "--control", path), 1)[0] in EXPLANATIONS
