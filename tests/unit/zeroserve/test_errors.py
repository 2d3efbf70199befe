"""The error table: complete, used, and in the form people read."""

import re
from pathlib import Path

import pytest

import zeroserve
from zeroserve import errors

SOURCES = [
    path
    for path in Path(zeroserve.__file__).parent.rglob("*.py")
    if "_engine" not in path.parts and "engine" not in path.parts
]
CODE = re.compile(r'"([a-z]+(?:-[a-z]+)+|usage|unsupported)"')


def test_every_code_is_raised_somewhere() -> None:
    table = Path(errors.__file__)
    text = "".join(path.read_text() for path in SOURCES if path != table)
    assert set(errors.EXPLANATIONS) - set(CODE.findall(text)) == set()


def test_explanations_are_paragraphs() -> None:
    for code, text in errors.EXPLANATIONS.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert 40 < len(text) < 400, code
        assert text.endswith("."), code


def test_an_unknown_code_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        errors.SiteRefused("no-such-code", "x")


def test_rendering() -> None:
    error = errors.SiteRefused("site-empty", "`a` is empty", hint="pack it")
    assert error.render() == "error[site-empty]: `a` is empty\nhint: pack it"
    assert errors.EngineBug("engine-bug", "x").render() == "error[engine-bug]: x"
    assert (error.exit_code, errors.EngineBug.exit_code) == (1, 70)
    assert errors.UsageRefused.exit_code == 2
