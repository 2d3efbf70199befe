"""The command line: each bad input gives one clear line and its exit code; help teaches."""

import ast
import json
import os
import pty
import tarfile
from pathlib import Path

import pytest
from support.process import PROGRAMS, run

import zeroserve.__main__ as entry
from zeroserve import __version__
from zeroserve.cli.app import VERBS
from zeroserve.cli.app import run as run_app
from zeroserve.cli.refused import UNSUPPORTED_FLAGS
from zeroserve.cli.serve import serve

BAD = [
    (["--acme-dir", "x", "a.tar"], 2, "error[not-supported]: `--acme-dir` is not supported"),
    (["a.tar", "--plugin=x"], 2, "error[not-supported]: `--plugin` is not supported"),
    (["dev", "no-such-folder"], 1, "error[pack-not-directory]: `no-such-folder` is no directory"),
    (["--threads", "0", "a.tar"], 2, "value must be greater than zero"),
    (["--threads", "x", "a.tar"], 2, "invalid number"),
    (["--chunk-size", "0", "a.tar"], 2, "value must be greater than zero"),
    (["--grace", "nan", "a.tar"], 2, "invalid number"),
    (["--grace", "-1", "a.tar"], 2, "value must be greater than zero"),
    (["--log-format", "xml", "a.tar"], 2, "`xml` is not one of"),
    (["--adr", "x"], 2, "there is no option `--adr`"),
    (["--addr", "x", "a.tar"], 2, "invalid socket address `x`"),
    (["--addr", "fd:-1", "a.tar"], 2, "invalid file descriptor `fd:-1`"),
    (["--addr"], 2, "requires an argument"),
    (["a.tar", "b.tar"], 2, "unexpected extra argument"),
    (["--cert", "c", "a.tar"], 2, "--cert and --key must be provided together"),
    (["--cert", "c", "--key", "k", "a.tar"], 2, "--tls-addr is required when enabling TLS"),
    (["--tls-addr", ":1", "a.tar"], 2, "`--tls-addr` needs a certificate"),
    (["--release", "r", "a.tar"], 2, "`--release` brings its own site"),
    (["--try-html"], 2, "nothing to serve"),
    (["--pack", "d", "a.tar"], 2, "`--pack` cannot be given with something to serve"),
    (["-o", "f", "a.tar"], 2, "are for `--pack DIR`"),
    (["--pack", "missing"], 1, "--pack expects a directory, got `missing`"),
    (["pack", "missing"], 1, "--pack expects a directory, got `missing`"),
    (["pack"], 2, "missing argument"),
    (["check", "missing.tar"], 1, "error[site-missing]: `missing.tar` does not exist"),
    (["check"], 2, "missing argument"),
    (["status", "--control", "none"], 1, "error[daemon-not-running]: no zeroserve answers"),
    (["reload", "--control", "none"], 1, "error[daemon-not-running]: no zeroserve answers"),
    (["doctor", "--addr", "x"], 2, "invalid socket address `x`"),
    (["--redirect-https", "a.tar"], 2, "`--redirect-https` needs a listener"),
    (["--https-port", "0", "a.tar"], 2, "value must be greater than zero"),
    (["--https-port", "65536", "a.tar"], 2, "`65536` is no port"),
    (["--validate-hostnames", "a:1", "a.tar"], 2, "`a:1`: a host is named without its port"),
    (["--metrics-addr", "x", "a.tar"], 2, "invalid socket address `x`"),
    (["--header-timeout", "0", "a.tar"], 2, "value must be greater than zero"),
    (["--idle-timeout", "1.5", "a.tar"], 2, "invalid number `1.5`"),
    (["--send-timeout", "x", "a.tar"], 2, "invalid number `x`"),
    (["--max-connections", "-1", "a.tar"], 2, "invalid number `-1`"),
    (["--pack", "d", "--precompress", "lzma"], 2, "`lzma` is none of br, zstd, gzip"),
    (["--precompress", "br", "a.tar"], 2, "are for `--pack DIR`"),
    (["--no-immutable", "a.tar"], 2, "are for `--pack DIR`"),
    (["--probe-file", "missing", "a.tar"], 1, "error[probe-bad]: probe file `missing`"),
]


@pytest.mark.parametrize(("arguments", "code", "text"), BAD)
def test_bad_input(
    arguments: list[str],
    code: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_app(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert text in lines[0]
    assert lines[0].startswith("error[")
    assert [line[:6] for line in lines[1:]] in ([], ["hint: "])


def test_a_bug_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("zeroserve.cli.check.check_path", broken)
    assert run_app(["check", "x"]) == 70
    assert capsys.readouterr().err.startswith("error[engine-bug]: RuntimeError: oops\nhint: ")


def test_no_flag_is_both_there_and_refused() -> None:
    there = {name for option in serve.params for name in option.opts}
    assert there & UNSUPPORTED_FLAGS == set()


def test_help_names_every_flag_and_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["--help"]) == 0
    text = capsys.readouterr().out
    for option in serve.params:
        assert any(name in text for name in option.opts) or option.param_type_name == "argument"
    for verb in VERBS:
        assert f"  {verb} " in text
        assert run_app([verb, "--help"]) == 0


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app([]) == 2
    assert "Usage:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["--version"]) == 0
    assert capsys.readouterr().out == f"zeroserve {__version__}\n"


def test_sighup_is_blocked_before_any_other_import() -> None:
    tree = ast.parse(Path(entry.__file__).read_text())
    first, second = (ast.unparse(statement) for statement in tree.body[1:3])
    assert first == "import signal"
    assert second == "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})"


@pytest.mark.parametrize(("words", "wanted"), [("--tls", "--tls-addr"), ("sta", "status")])
def test_completion(words: str, wanted: str) -> None:
    done = run(
        [PROGRAMS / "zeroserve"],
        env={
            "_ZEROSERVE_COMPLETE": "bash_complete",
            "COMP_WORDS": f"zeroserve {words}",
            "COMP_CWORD": "1",
        },
    )
    assert wanted in done.text


def test_pack_to_standard_output_and_to_a_file_agree(tree: Path, tmp_path: Path) -> None:
    (tree / "link").symlink_to("index.html")
    first = run([PROGRAMS / "zeroserve", "--pack", tree])
    second = run([PROGRAMS / "zeroserve", "pack", tree, "-o", tmp_path / "site.tar"])
    assert (first.code, second.code, second.stdout) == (0, 0, b"")
    assert first.stdout == (tmp_path / "site.tar").read_bytes()
    assert "warning: left out `link`" in first.stderr
    assert run_app(["check", str(tmp_path / "site.tar")]) == 0


def test_a_tarball_is_not_written_to_a_terminal(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", terminal)
        assert run_app(["pack", str(tree)]) == 1
    os.close(master)
    assert "error[pack-terminal]" in capsys.readouterr().err


def test_a_full_standard_output_is_named(tree: Path) -> None:
    done = run(["/bin/sh", "-c", 'exec "$0" pack "$1" >/dev/full', PROGRAMS / "zeroserve", tree])
    assert done.code == 1
    assert done.stderr.startswith("error[pack-output]: standard output cannot be written")
    assert len(done.stderr.splitlines()) == 1


def test_check_as_json(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["check", "--json", str(packed)]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    packed.write_bytes(packed.read_bytes()[:1000])
    assert run_app(["check", "--json", str(packed)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["findings"][0]["level"] == "error"


def test_duplicates_alone_do_not_fail_a_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
        tar.addfile(tarfile.TarInfo("a"))
    assert run_app(["check", str(tmp_path / "s.tar")]) == 0
    assert "warning[member-duplicate]" in capsys.readouterr().err
