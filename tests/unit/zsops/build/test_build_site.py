"""Building: programs without a shell, patterns, the same bytes under other conditions."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from zeroserve.scripts import compiler
from zsops.build.patterns import select
from zsops.build.site import BuiltSite, build_site
from zsops.build.twice import check_reproducible
from zsops.config.load import Project, load_project
from zsops.errors import BuildError, ExitCode

HEAD = "version: 1\nproject: acme\nsites:\n  blog: "


def _project(directory: Path, site: str) -> Project:
    (directory / "zsops.yaml").write_text(HEAD + site + "\n")
    source = directory / "src"
    source.mkdir(exist_ok=True)
    (source / "index.html").write_text("<title>a</title>")
    (source / "app.js").write_text("1")
    (source / "app.js.map").write_text("2")
    return load_project(directory / "zsops.yaml")


def _program(directory: Path, text: str, more: str = "") -> Project:
    (directory / "make.py").write_text(text)
    run = f'["{sys.executable}", make.py]'
    return _project(directory, f"{{src: src, build: {{run: {run}, out: out{more}}}}}")


def _paths(built: BuiltSite) -> list[str]:
    return [each.path for each in built.members]


def test_site_without_build_is_packed_as_it_is(tmp_path: Path) -> None:
    built = build_site(_project(tmp_path, "{src: src}"), "blog", tmp_path)
    assert _paths(built) == ["app.js", "app.js.map", "index.html"]
    assert built.tar.stat().st_size == built.size


def test_include_and_exclude_choose_the_files(tmp_path: Path) -> None:
    chosen = _project(tmp_path, '{src: src, include: ["**/*.js", "*.map"], exclude: ["**/*.map"]}')
    assert _paths(build_site(chosen, "blog", tmp_path)) == ["app.js"]


def test_excluding_gives_the_bytes_of_a_tree_without_the_file(tmp_path: Path) -> None:
    excluded = build_site(_project(tmp_path, '{src: src, exclude: ["*.map"]}'), "blog", tmp_path)
    whole = _project(tmp_path, "{src: src}")
    (tmp_path / "src" / "app.js.map").unlink()
    assert build_site(whole, "blog", tmp_path).release_digest == excluded.release_digest


def _script(directory: Path, text: str) -> None:
    folder = directory / "src" / ".zeroserve" / "scripts"
    folder.mkdir(parents=True)
    (folder / "a.c").write_text(text)


def test_scripts_are_compiled_and_compared_without_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _script(tmp_path, "#include <zeroserve.h>\nZS_ENTRY zs_u64 entry(void) { return 0; }\n")
    project = _project(tmp_path, '{src: src, include: [".zeroserve/**", "*.html"]}')
    built = check_reproducible(project, "blog")
    assert _paths(built) == [".zeroserve/scripts.json", ".zeroserve/scripts/a.o", "index.html"]
    # An object in the cache that is not what the compiler makes would be found.
    for entry in (tmp_path / "cache" / "zeroserve" / "scripts").iterdir():
        body = entry.read_bytes()[32:] + b"more"
        entry.write_bytes(hashlib.sha256(body).digest() + body)
    with pytest.raises(BuildError, match=r"a\.o"):
        check_reproducible(project, "blog")


@pytest.mark.parametrize("exclude", ["[]", '["*.map"]'])
def test_a_script_that_does_not_compile_is_named_where_its_author_has_it(
    tmp_path: Path, exclude: str
) -> None:
    _script(tmp_path, "int x = y;\n")
    with pytest.raises(BuildError) as caught:
        build_site(_project(tmp_path, f"{{src: src, exclude: {exclude}}}"), "blog", tmp_path)
    assert f"{tmp_path}/src/.zeroserve/scripts/a.c:1:9: error:" in caught.value.message


def test_a_site_without_scripts_needs_no_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "find_spec", lambda _: None)
    build_site(_project(tmp_path, "{src: src}"), "blog", tmp_path)
    _script(tmp_path, "")
    with pytest.raises(BuildError, match="there is no compiler"):
        build_site(_project(tmp_path, "{src: src}"), "blog", tmp_path)


def test_nothing_left_is_a_build_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="blog"):
        build_site(_project(tmp_path, '{src: src, include: ["*.pdf"]}'), "blog", tmp_path)


def test_program_runs_in_the_project_and_its_output_is_packed(tmp_path: Path) -> None:
    text = "import os; os.mkdir('out'); open('out/index.html','w').write(os.getcwd()); print('hi')"
    lines: list[str] = []
    built = build_site(_program(tmp_path, text), "blog", tmp_path, on_line=lines.append)
    assert _paths(built) == ["index.html"]
    assert lines == ["hi"]
    assert (tmp_path / "out" / "index.html").read_text() == str(tmp_path)


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    project = _project(tmp_path, '{src: src, build: {run: "echo a; touch pwned", out: src}}')
    build_site(project, "blog", tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_failing_program_shows_its_last_lines(tmp_path: Path) -> None:
    project = _program(tmp_path, "import sys; print('about to fail'); sys.exit('it is broken')")
    with pytest.raises(BuildError) as failed:
        build_site(project, "blog", tmp_path)
    assert failed.value.exit_code is ExitCode.BUILD
    assert "exited with 1" in failed.value.message
    assert failed.value.message.endswith("  | about to fail\n  | it is broken")


def test_program_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    project = _program(tmp_path, "import time; time.sleep(60)", ", timeout: 200ms")
    with pytest.raises(BuildError, match="longer than 200ms"):
        build_site(project, "blog", tmp_path)


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ("{src: nowhere}", "there is no directory `nowhere`"),
        ("{src: src, build: {run: no-such-program-here, out: o}}", "cannot be started"),
        ('{src: src, build: {run: "true", out: o}}', "made no directory `o`"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, site: str, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        build_site(_project(tmp_path, site), "blog", tmp_path)


def test_plain_tree_is_reproducible(tmp_path: Path) -> None:
    project = _project(tmp_path, "{src: src}")
    once = build_site(project, "blog", tmp_path)
    assert check_reproducible(project, "blog").release_digest == once.release_digest


@pytest.mark.parametrize(
    "varying", ["time.time_ns()", "time.strftime('%H %Z')", "hash('a') if 1 else 0"]
)
def test_build_that_depends_on_the_world_is_found(tmp_path: Path, varying: str) -> None:
    text = (
        "import os, time; os.makedirs('out', exist_ok=True);"
        "open('out/same.txt','w').write('same');"
        f"open('out/index.html','w').write(str({varying}))"
    )
    with pytest.raises(BuildError, match="not reproducible") as found:
        check_reproducible(_program(tmp_path, text), "blog")
    assert "`index.html`" in found.value.message
    assert "same.txt" not in found.value.message


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("**", ["a", "a/b", ".x/y"], []),
        ("*", ["a"], ["a/b"]),
        ("**/*.map", ["a.map", "b/c/a.map"], ["a.map/x"]),
        ("src/**", ["src/a", "src/b/c"], ["srcx/a", "src"]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("a.b+(c)", ["a.b+(c)"], ["axb+(c)"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], other: list[str]) -> None:
    assert select([*matching, *other], [pattern], []) == matching
