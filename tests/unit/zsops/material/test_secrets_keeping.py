"""Encrypted files of the project: written, edited and encrypted anew, and never half."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest
from support.material import OperatorKey

from zsops.cli.app import run
from zsops.errors import ExitCode

CONFIG = """\
version: 1
project: shop
tls:
  shop: {{cert: age:secrets/shop.crt.age, key: age:secrets/shop.key.age}}
secrets: {{recipients: [{recipients}]}}
sites:
  hello: {{src: site}}
"""


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OperatorKey:
    made = OperatorKey.make(tmp_path / "one.age")
    made.use(monkeypatch)
    return made


def _project(directory: Path, *keys: OperatorKey) -> None:
    listed = ", ".join(each.recipient for each in keys)
    (directory / "zsops.yaml").write_text(CONFIG.format(recipients=listed))


def _editor(directory: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = directory / "editor.sh"
    editor.write_text(f"#!/bin/sh\n{code}\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))


def _read(file: Path, key: OperatorKey) -> bytes:
    plain: bytes = pyrage.decrypt(file.read_bytes(), [key.identity])
    return plain


def test_a_file_is_made_and_edited(
    tmp_path: Path, one: OperatorKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    _project(tmp_path, one)
    file = tmp_path / "secrets" / "shop.key.age"
    seen = tmp_path / "seen"
    code = f'cat "$1" >> {seen}; stat -c %a "$1" >> {seen}; echo more >> "$1"'
    _editor(tmp_path, code, monkeypatch)
    for _ in range(2):
        assert run(["-C", str(tmp_path), "secrets", "edit", "age:secrets/shop.key.age"]) == 0
    assert _read(file, one) == b"more\nmore\n"
    assert seen.read_text() == "600\nmore\n600\n"
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    _editor(tmp_path, "exit 1", monkeypatch)
    assert run(["-C", str(tmp_path), "secrets", "edit", "secrets/shop.key.age"]) == ExitCode.USAGE
    _editor(tmp_path, "true", monkeypatch)
    assert run(["-C", str(tmp_path), "secrets", "edit", "secrets/shop.key.age"]) == 0
    assert file.read_bytes() == before  # unchanged is not written


def test_rekey_lets_in_and_shuts_out(tmp_path: Path, one: OperatorKey) -> None:
    two = OperatorKey.make(tmp_path / "two.age")
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("shop.crt.age", "shop.key.age"):
        (folder / name).write_bytes(pyrage.encrypt(name.encode(), [one.identity.to_public()]))
    _project(tmp_path, two)
    assert run(["-C", str(tmp_path), "secrets", "rekey"]) == 0
    for name in ("shop.crt.age", "shop.key.age"):
        assert _read(folder / name, two) == name.encode()
        with pytest.raises(pyrage.DecryptError):
            _read(folder / name, one)


def test_rekey_changes_all_or_nothing(
    tmp_path: Path, one: OperatorKey, capsys: pytest.CaptureFixture[str]
) -> None:
    two = OperatorKey.make(tmp_path / "two.age")
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, key in (("shop.crt.age", one), ("shop.key.age", two)):
        (folder / name).write_bytes(pyrage.encrypt(b"x", [key.identity.to_public()]))
    _project(tmp_path, one, two)
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert run(["-C", str(tmp_path), "secrets", "rekey"]) == ExitCode.USAGE
    assert "opens with none of our keys" in capsys.readouterr().err
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


def test_check_names_the_files_that_are_missing_or_open_to_all(
    tmp_path: Path, one: OperatorKey, capsys: pytest.CaptureFixture[str]
) -> None:
    _project(tmp_path, one)
    (tmp_path / "site").mkdir()
    text = (
        (tmp_path / "zsops.yaml").read_text().replace("key: age:secrets/shop.key.age", "key: k.pem")
    )
    (tmp_path / "zsops.yaml").write_text(text)
    (tmp_path / "k.pem").write_text("key")
    (tmp_path / "k.pem").chmod(0o644)
    assert run(["-C", str(tmp_path), "check"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "zsops.yaml:4:16:" in said
    assert "shop.crt.age` cannot be read" in said
    assert "everybody on this machine can read" in said
