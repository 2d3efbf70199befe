"""The shape of the command line: options on both sides, help, init, completion, the entry point."""

from __future__ import annotations

import io
import json
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from zsops import process
from zsops.cli.app import run
from zsops.cli.exit_codes import MEANING
from zsops.cli.global_options import hoist
from zsops.config.load import load_project
from zsops.errors import ExitCode


def _entry(*arguments: str, cwd: Path) -> process.Finished:
    """The installed program's module, as a process of its own."""
    return process.run([sys.executable, "-m", "zsops", *arguments], timeout_s=60, cwd=cwd)


def _site(directory: Path, name: str = "sites/blog") -> None:
    (directory / name).mkdir(parents=True)
    (directory / name / "index.html").write_text("<title>a</title>")


@pytest.mark.parametrize(
    ("arguments", "hoisted"),
    [
        (["plan", "--json"], ["--json", "plan"]),
        (["plan", "prod", "-C", "x", "-q"], ["-C", "x", "-q", "plan", "prod"]),
        (["deploy", "--reason", "-q"], ["deploy", "--reason", "-q"]),
        (["deploy", "--reason=-q", "-v"], ["-v", "deploy", "--reason=-q"]),
        (["plan", "--timeout=5s"], ["--timeout=5s", "plan"]),
        (["x", "--", "--json"], ["x", "--", "--json"]),
        (["plan", "-C"], ["-C", "plan"]),
        ([], []),
    ],
)
def test_global_options_stand_on_either_side(arguments: list[str], hoisted: list[str]) -> None:
    assert hoist(arguments, ["--reason"]) == hoisted


def test_help_documents_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    for code, meaning in MEANING.items():
        assert f"{code.value:>4}  {meaning}" in text


def test_manual_has_every_exit_code() -> None:
    manual = Path(__file__).resolve().parents[4] / "docs" / "manual" / "exit-codes.md"
    fleet = manual.read_text().partition("## zsops")[2]
    assert re.findall(r"^\| (\d+) \|", fleet, re.MULTILINE) == [str(code.value) for code in MEANING]


def test_version_is_the_one_of_the_wheel(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"zsops {metadata.version('zeroserve')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "no such command `nope`"),
        (["plan", "--nope"], "no such option: --nope"),
        (["plan", "a", "-e", "b"], "two environments are named: `a` and `b`"),
        (["--json", "--jsonl", "plan"], "exclude each other"),
        (["-q", "-v", "plan"], "exclude each other"),
        (["--timeout", "5", "plan"], "is no duration"),
        (["history", "-n", "0"], "invalid value"),
        (["schema", "nope"], "invalid value"),
        (["explain", "sites.x.nope"], "has no key"),
        (["--limit-rate", "2 MB", "plan"], "is no size"),
        (["ssh", "nowhere"], "no host `nowhere`"),
        (["ssh", "local"], "is this machine"),
        (["logs", "--since", "5"], "is no duration"),
    ],
)
def test_bad_usage_is_one_clear_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _site(tmp_path)
    monkeypatch.chdir(tmp_path)
    run(["init"])
    capsys.readouterr()
    assert run(arguments) == ExitCode.USAGE
    captured = capsys.readouterr()
    text = captured.err or captured.out
    assert said in text
    assert "Traceback" not in text


def test_init_writes_a_file_that_is_accepted_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _site(tmp_path, "sites/blog")
    _site(tmp_path, "sites/Docs v2")
    assert run(["-C", str(tmp_path), "init"]) == ExitCode.OK
    project = load_project(tmp_path / "zsops.yaml")
    assert list(project.config.sites) == ["docs-v2", "blog"]
    assert list(project.config.environments) == ["local"]
    before = (tmp_path / "zsops.yaml").read_bytes()
    assert run(["-C", str(tmp_path), "init"]) == ExitCode.USAGE
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "zsops.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("made", "arguments", "source"),
    [("public", [], "public"), (".", [], "."), ("odd/place", ["odd/place"], "odd/place")],
)
def test_init_finds_usual_folders(
    tmp_path: Path, made: str, arguments: list[str], source: str
) -> None:
    (tmp_path / made).mkdir(parents=True, exist_ok=True)
    (tmp_path / made / "index.html").write_text("x")
    assert run(["-C", str(tmp_path), "init", *arguments]) == ExitCode.OK
    (site,) = load_project(tmp_path / "zsops.yaml").config.sites.values()
    assert site.src == source
    assert run(["-C", str(tmp_path), "build"]) == ExitCode.OK


def test_init_without_a_site_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(tmp_path), "init"]) == ExitCode.USAGE
    assert "hint: make `sites/NAME/index.html`" in capsys.readouterr().err
    assert not (tmp_path / "zsops.yaml").exists()


def test_build_keeps_the_tarball_and_check_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _site(tmp_path)
    run(["-C", str(tmp_path), "init"])
    capsys.readouterr()
    assert run(["-C", str(tmp_path), "build", "--check", "--out", "out", "--json"]) == ExitCode.OK
    (built,) = json.loads(capsys.readouterr().out)["result"]["sites"]
    assert (tmp_path / "out" / "blog.tar").stat().st_size == built["size"]


def test_check_names_the_line_of_a_missing_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _site(tmp_path)
    run(["-C", str(tmp_path), "init"])
    assert run(["-C", str(tmp_path), "check"]) == ExitCode.OK
    (tmp_path / "sites" / "blog").rename(tmp_path / "elsewhere")
    capsys.readouterr()
    assert run(["-C", str(tmp_path), "check"]) == ExitCode.USAGE
    assert "zsops.yaml:12:10: there is no directory `sites/blog`" in capsys.readouterr().err


@pytest.mark.parametrize("of", ["config", "events", "plan"])
def test_schemas_are_json(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", of]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("line", "word", "wanted"),
    [
        ("zsops deploy ", 2, "prod"),
        ("zsops build ", 2, "blog"),
        ("zsops ssh w", 2, "web1"),
        ("zsops --on e", 2, "eu"),
        ("zsops rollback --to ", 3, "000002-beef"),
        ("zsops rollback --site b", 3, "blog"),
        ("zsops diff ", 2, "000002-beef"),
        ("zsops diff 000001-dead ", 3, "000002-beef"),
        ("zsops history ", 2, "web1"),
        ("zsops status p", 2, "prod"),
        ("zsops logs ", 2, "web1"),
        ("zsops drift ", 2, "web1"),
        ("zsops deploy --strategy r", 3, "rolling"),
        ("zsops explain sites.NAME.b", 2, "sites.NAME.build"),
        ("zsops ech rotate --phase ", 4, "retire"),
    ],
)
def test_names_are_completed_without_a_network(
    tmp_path: Path, line: str, word: int, wanted: str
) -> None:
    _site(tmp_path)
    (tmp_path / "zsops.yaml").write_text(
        "version: 1\nproject: a\nsites: {blog: {src: sites/blog}}\nenvironments:\n"
        "  prod:\n    hosts: {web1: {addr: 192.0.2.1, groups: [eu]}}\n"
        '    instances: {web: {listen: {https: ":443"}, site: blog}}\n'
    )
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run_here = "from zsops.cli.release_names import remember; import pathlib, sys;"
    run_here += "remember(pathlib.Path('.'), 'prod', ['000002-beef'])"
    process.run([sys.executable, "-c", run_here], timeout_s=60, cwd=tmp_path, env=cache)
    done = process.run(
        [sys.executable, "-m", "zsops"],
        timeout_s=60,
        cwd=tmp_path,
        env={
            **cache,
            "_ZSOPS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(word),
        },
    )
    assert wanted in done.output.split()


@pytest.mark.parametrize("agent", [None, "/nowhere"])
def test_doctor_finds_what_is_missing(
    agent: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _site(tmp_path)
    run(["-C", str(tmp_path), "init"])
    if agent is None:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    else:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    capsys.readouterr()
    assert run(["-C", str(tmp_path), "doctor"]) == ExitCode.OK
    said = capsys.readouterr()
    assert ("is no socket" in said.out) == (agent is not None)
    assert "paramiko" in said.out
    with (tmp_path / "zsops.yaml").open("a") as file:
        file.write(
            "  prod:\n    ssh: {known_hosts: pinned}\n    hosts: {web1: {}}\n"
            '    instances: {w: {listen: {https: ":443"}, site: blog}}\n'
        )
    assert run(["-C", str(tmp_path), "doctor"]) == ExitCode.USAGE
    assert "zsops hosts trust prod" in capsys.readouterr().err


def test_entry_point_answers_with_code_and_two_lines(tmp_path: Path) -> None:
    done = _entry("plan", cwd=tmp_path)
    assert done.code == ExitCode.USAGE
    assert done.output == ""
    assert done.errors == (
        "error[config-missing]: there is no `zsops.yaml`\nhint: run `zsops init` to write one\n"
    )


def test_reader_that_leaves_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    kept = process.own_identity()  # the process itself must survive, with its descriptors
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr("os.dup2", lambda old, new: new)
    assert run(["schema"]) == ExitCode.OK
    assert kept.is_alive()
