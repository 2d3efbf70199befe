"""Scripts in a tree: sources become objects, the same everywhere; what is wrong stops the pack."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from server_trees import pack_bytes, write_tree
from support.process import PROGRAMS, run

from zeroserve.check import check_path
from zeroserve.errors import PackRefused
from zeroserve.pack.archive import PackOptions, PackResult
from zeroserve.pack.script_files import ScriptChoice
from zeroserve.scripts import compiler as compilers
from zeroserve.scripts.compile import CompileFailed
from zeroserve.scripts.compiler import find_compiler

ANNOUNCED = """\
#include <zeroserve.h>

ZS_ENTRY
zs_u64 entry(void) {
  char peer[64];
  if (zs_req_peer(peer, sizeof(peer)) <= 0) zs_strcpy(peer, "unknown");
  zs_meta_set(ZS_STR("visitor"), ZS_STR(peer));
  zs_meta_set(ZS_STR("zs.response.header.x-served-by"), ZS_STR("zeroserve-ebpf"));
  return 0;
}
"""
#: Names of other headers stand in line information: they must not be those of this machine.
WITH_HEADERS = """\
#include <stdint.h>
#include <zeroserve.h>
#include "shared/answer.h"
ZS_ENTRY
zs_u64 entry(void) {
  volatile uint_fast16_t status = answer();
  zs_respond(status, ZS_STR(__FILE__));
  return 0;
}
"""
SCRIPTS = {
    ".zeroserve/scripts/10-visitor.c": ANNOUNCED.encode(),
    ".zeroserve/scripts/deep/20-answer.c": WITH_HEADERS.encode(),
    ".zeroserve/scripts/shared/answer.h": b"static inline int answer(void) { return 204; }\n",
    "index.html": b"<p>hello\n",
}
FRESH = PackOptions(scripts=ScriptChoice(cache=False))
ELF_OBJECT = b"\x7fELF\x02\x01" + bytes(10) + b"\x01\x00\xf7\x00"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        opened = ((one.name, tar.extractfile(one)) for one in tar)
        return {name: file.read() for name, file in opened if file is not None}


def pack(root: Path, options: PackOptions = FRESH) -> tuple[dict[str, bytes], PackResult]:
    data, result = pack_bytes(root, options)
    return members(data), result


def test_sources_become_objects_and_are_left_out(tmp_path: Path) -> None:
    packed, result = pack(write_tree(tmp_path / "site", SCRIPTS))
    assert list(packed) == [
        ".zeroserve/members.bin",
        ".zeroserve/scripts.json",
        ".zeroserve/scripts/10-visitor.o",
        ".zeroserve/scripts/deep/20-answer.o",
        ".zeroserve/scripts/shared/answer.h",
        "index.html",
    ]
    assert packed[".zeroserve/scripts/10-visitor.o"].startswith(b"\x7fELF")
    (note,) = result.notes
    assert note.startswith("compiled 2 scripts with ziglang 0.15.2; the sources are left out")
    record = json.loads(packed[".zeroserve/scripts.json"])
    assert (record["compiler"], record["version"]) == ("ziglang", "0.15.2")
    source = SCRIPTS[".zeroserve/scripts/10-visitor.c"]
    assert record["sources"]["10-visitor.c"] == hashlib.sha256(source).hexdigest()


def test_objects_are_the_same_in_other_folders_and_hold_none_of_them(tmp_path: Path) -> None:
    one = write_tree(tmp_path / "one", SCRIPTS)
    other = write_tree(tmp_path / "another" / "much deeper", SCRIPTS)
    for path in other.rglob("*.c"):
        os.utime(path, (86_400, 86_400))
    mask = os.umask(0o077)
    try:
        packed, _ = pack(one)
        os.umask(0o022)
        assert pack(other)[0] == packed
    finally:
        os.umask(mask)
    traces = (str(tmp_path).encode(), b"/tmp/", b"site-packages", os.environ["HOME"].encode())
    for name, content in packed.items():
        assert not [trace for trace in traces if trace in content], name


def test_locale_time_zone_and_include_variables_leave_no_trace(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "site", SCRIPTS)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "stdint.h").write_text("#error not this one\n")
    hashes = set()
    for number, more in enumerate(
        (
            {"LC_ALL": "C", "TZ": "UTC"},
            {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "CPATH": str(tmp_path / "elsewhere")},
        )
    ):
        tar = tmp_path / f"{number}.tar"
        own = {"XDG_CACHE_HOME": str(tmp_path / f"cache{number}"), **more}
        done = run([PROGRAMS / "zeroserve", "pack", tree, "-o", tar], env=own)
        assert done.code == 0, done.stderr
        hashes.add(hashlib.sha256(tar.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_the_second_pack_knows_the_objects_and_says_so(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "site", SCRIPTS)
    cold, first = pack_bytes(tree)
    warm, second = pack_bytes(tree)
    assert (cold == warm, "known" in first.notes[0]) == (True, False)
    assert "2 of them known from before" in second.notes[0]


def test_a_changed_header_compiles_again(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "site", SCRIPTS)
    before, _ = pack(tree, PackOptions())
    write_tree(tree, {".zeroserve/scripts/shared/answer.h": b"static int answer() { return 7; }"})
    after, _ = pack(tree, PackOptions())
    name = ".zeroserve/scripts/deep/20-answer.o"
    assert before[name] != after[name]
    assert after == pack(tree)[0]


def test_a_damaged_or_foreign_cache_is_not_used(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "site", SCRIPTS)
    want, _ = pack(tree, PackOptions())
    folder = tmp_path / "cache" / "zeroserve" / "scripts"
    for entry in folder.iterdir():
        data = bytearray(entry.read_bytes())
        data[-1] ^= 1
        entry.write_bytes(data)
    packed, result = pack(tree, PackOptions())
    assert (packed == want, "known" in result.notes[0]) == (True, False)
    folder.chmod(0o777)
    assert "known" not in pack(tree, PackOptions())[1].notes[0]


def test_warnings_are_told_with_the_authors_path_and_by_the_cache_too(tmp_path: Path) -> None:
    source = "#include <zeroserve.h>\nZS_ENTRY zs_u64 entry(void) { int unused; return 0; }\n"
    tree = write_tree(tmp_path / "site", {".zeroserve/scripts/a.c": source.encode()})
    for _ in range(2):
        _, result = pack(tree, PackOptions())
        (warning,) = result.warnings
        assert warning.startswith(f"{tree}/.zeroserve/scripts/a.c:2:35: warning: unused variable")


def test_all_that_does_not_compile_is_told_with_line_and_column(tmp_path: Path) -> None:
    bad = {".zeroserve/scripts/a.c": b"int x = y;\n", ".zeroserve/scripts/b.c": b"\nbroken\n"}
    tree = write_tree(tmp_path / "site", {**SCRIPTS, **bad})
    with pytest.raises(CompileFailed) as caught:
        pack(tree)
    assert caught.value.code == "script-compile"
    for place in ("a.c:1:9: error: use of undeclared", "b.c:2:1: error: unknown type name"):
        assert f"{tree}/.zeroserve/scripts/{place}" in caught.value.diagnostics


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ZS_ENTRY zs_u64 entry(void) { return 0; }", "`#include <zeroserve.h>` is missing"),
        ("#include <string.h>", "scripts have no C library"),
        ("#include <zeroserve.h>\nint a(void) { return zs_responed(); }", "no such helper"),
        ("double a(double b) { return b * 2.5; }", "scripts have no floating point"),
        ("int f(char *); int a(void) { char b[40000]; return f(b); }", "may take 8192 bytes"),
    ],
)
def test_what_an_author_cannot_know_is_said(tmp_path: Path, source: str, said: str) -> None:
    tree = write_tree(tmp_path / "site", {".zeroserve/scripts/a.c": f"{source}\n".encode()})
    with pytest.raises(CompileFailed) as caught:
        pack(tree)
    assert said in (caught.value.hint or "")


def test_the_command_leaves_nothing_when_a_script_does_not_compile(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "site", {".zeroserve/scripts/a.c": b"int x = y;\n"})
    done = run([PROGRAMS / "zeroserve", "pack", tree, "-o", tmp_path / "site.tar"])
    assert done.code == 1
    assert "a.c:1:9: error:" in done.stderr
    assert not (tmp_path / "site.tar").exists()


@pytest.mark.parametrize(
    "line",
    ['#include "/etc/hostname"', '#include "../../secret.h"', "const char *now = __TIME__;"],
)
def test_what_differs_between_machines_is_refused(tmp_path: Path, line: str) -> None:
    files = {".zeroserve/scripts/a.c": f"{line}\n".encode(), "secret.h": b"int a;\n"}
    with pytest.raises(PackRefused) as caught:
        pack(write_tree(tmp_path / "site", files))
    assert caught.value.code == "script-compile"


def test_an_outside_header_that_compiles_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.h"
    outside.write_text("int from_outside;\n")
    source = f'#include "{outside}"\n'.encode()
    with pytest.raises(PackRefused, match="included from outside"):
        pack(write_tree(tmp_path / "site", {".zeroserve/scripts/a.c": source}))


REFUSED: dict[str, tuple[Mapping[str, bytes], str]] = {
    "source and object": (
        {".zeroserve/scripts/a.c": b"", ".zeroserve/scripts/a.o": ELF_OBJECT},
        "script-twice",
    ),
    "no object": ({".zeroserve/scripts/a.o": b"\x7fELF"}, "script-object"),
    "another machine": (
        {".zeroserve/scripts/a.o": ELF_OBJECT[:-2] + b"\x3e\x00"},
        "script-object",
    ),
    "no root": ({"docs/.zeroserve/scripts/a.o": ELF_OBJECT}, "script-place"),
    "beside the roots": (
        {
            ".zeroserve/hosts.json": b'{"*": "a"}',
            "a/index.html": b"",
            ".zeroserve/scripts/a.o": ELF_OBJECT,
        },
        "script-place",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    files, code = REFUSED[name]
    with pytest.raises(PackRefused) as caught:
        pack(write_tree(tmp_path / "site", files))
    assert caught.value.code == code


def test_objects_made_elsewhere_need_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "find_spec", lambda _: None)
    tree = write_tree(tmp_path / "site", {".zeroserve/scripts/a.o": ELF_OBJECT})
    packed, _ = pack(tree)
    assert packed[".zeroserve/scripts/a.o"] == ELF_OBJECT
    assert ".zeroserve/scripts.json" not in packed


def test_a_missing_compiler_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "find_spec", lambda _: None)
    with pytest.raises(PackRefused) as caught:
        pack(write_tree(tmp_path / "site", SCRIPTS))
    assert caught.value.code == "script-compiler"
    assert "pip install 'zeroserve[compiler]'" in (caught.value.hint or "")


def test_another_version_of_the_pinned_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "version", lambda _: "0.16.0")
    with pytest.raises(PackRefused, match=r"0\.16\.0 here and 0\.15\.2 is wanted"):
        find_compiler("auto")


@pytest.fixture
def clang(tmp_path: Path) -> str:
    """A clang by its path: the pinned compiler is one, too, when it is called like one."""
    zig = find_compiler("auto").command[0]
    program = tmp_path / "bin" / "clang"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {zig} clang "$@"\n')
    program.chmod(0o755)
    return str(program)


def test_the_hour_is_refused_by_a_clang_of_ones_own_too(tmp_path: Path, clang: str) -> None:
    source = {".zeroserve/scripts/a.c": b"const char *now = __TIME__;\n"}
    tree = write_tree(tmp_path / "site", source)
    with pytest.raises(CompileFailed, match="not reproducible"):
        pack(tree, PackOptions(scripts=ScriptChoice(clang, cache=False)))


def test_a_clang_of_ones_own(tmp_path: Path, clang: str) -> None:
    script = {".zeroserve/scripts/a.c": ANNOUNCED.encode()}
    options = PackOptions(scripts=ScriptChoice(clang, cache=False))
    packed, result = pack(write_tree(tmp_path / "site", script), options)
    record = json.loads(packed[".zeroserve/scripts.json"])
    assert record["compiler"] == "clang"
    assert record["version"].startswith("clang version 20.")
    assert packed[".zeroserve/scripts/a.o"].startswith(b"\x7fELF")
    assert "clang version" in result.notes[0]


@pytest.mark.parametrize("program", ["clang-of-nowhere/clang", "/bin/true"])
def test_what_is_no_clang_is_refused(program: str) -> None:
    with pytest.raises(PackRefused) as caught:
        find_compiler(program)
    assert caught.value.code == "script-compiler"


def test_each_root_has_its_own_scripts_and_record(tmp_path: Path) -> None:
    source = SCRIPTS[".zeroserve/scripts/10-visitor.c"]
    files = {
        ".zeroserve/hosts.json": b'{"a.test": "a", "*": "b"}',
        "a/.zeroserve/scripts/x.c": source,
        "b/.zeroserve/scripts/x.c": source,
        "b/.zeroserve/tests/x.toml": b"",
    }
    packed, result = pack(write_tree(tmp_path / "site", files))
    assert [name for name in packed if not name.startswith(".zeroserve/")] == [
        "a/.zeroserve/scripts.json",
        "a/.zeroserve/scripts/x.o",
        "b/.zeroserve/scripts.json",
        "b/.zeroserve/scripts/x.o",
    ]
    assert result.notes[0] == "left out `.zeroserve/tests/`: cases for `zeroserve test`"


@pytest.mark.parametrize(
    ("entry", "missing"),
    [
        ("ZS_TLS_ENTRY zs_u64", "section `zeroserve.tls`"),
        ("ZS_TLS_REQUEST_ENTRY zs_u64", "section `zeroserve.tls.request`"),
        ("ZS_INIT_ENTRY(acme_config) zs_s64", "section `zeroserve.init.acme_config`"),
        ("extern long zs_unheard_of(void); ZS_ENTRY zs_u64", "helper `zs_unheard_of`"),
    ],
)
def test_what_this_server_has_not_compiles_and_is_refused_by_name(
    tmp_path: Path, entry: str, missing: str
) -> None:
    call = "zs_unheard_of()" if "unheard" in entry else "0"
    source = f"#include <zeroserve.h>\n{entry} entry(void) {{ return {call}; }}\n"
    tar = tmp_path / "site.tar"
    tree = write_tree(tmp_path / "site", {".zeroserve/scripts/a.c": source.encode()})
    tar.write_bytes(pack_bytes(tree, FRESH)[0])
    (finding,) = check_path(tar)
    assert (finding.code, missing in finding.text) == ("script-refused", True)
