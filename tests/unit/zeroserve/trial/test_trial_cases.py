"""Cases and their judgement: strict reading, every difference told."""

from pathlib import Path

import pytest

from zeroserve.bridge.trial import TrialAnswer
from zeroserve.errors import CaseRefused
from zeroserve.trial.cases import Case, read_cases
from zeroserve.trial.judge import differences

REQUEST = '[[case]]\nrequest = "GET /"\n'
GOOD = REQUEST + "expect = { status = 200 }\n"


def read(tmp_path: Path, text: str) -> list[Case]:
    file = tmp_path / "cases.toml"
    file.write_text(text)
    return read_cases(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no `[[case]]`"),
        ("[[case", "at end of document"),
        ("more = 1\n" + GOOD, "there is no key `more`"),
        ("case = 1\n", "`case` is no list"),
        ("case = [1]\n", "case 1 is no table"),
        ('[[case]]\nrequest = "GET"\n', "is not like `GET /path`"),
        (REQUEST, "nothing is expected"),
        (REQUEST + "expect = { state = 200 }\n", "expect: there is no key `state`"),
        (REQUEST + 'expect = { status = "200" }\n', "expect: `status` is no whole number"),
        (REQUEST + "expect = { status = true }\n", "expect: `status` is no whole number"),
        (REQUEST + "expect = { matching = { a = '(' } }\n", "a pattern is wrong"),
        (REQUEST + "headers = { a = 1 }\n", "`a` is no text and no list of texts"),
        (GOOD + "[other]\n", "there is no key `other`"),
        (REQUEST + "repeat = 0\nexpect = { status = 200 }\n", "`repeat` is 1 to"),
        (REQUEST + "wait_ms = -1\nexpect = { status = 200 }\n", "`wait_ms` 0 or more"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CaseRefused) as caught:
        read(tmp_path, text)
    assert said in caught.value.message
    assert f"{tmp_path}/cases.toml" in caught.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaseRefused, match="no such file"):
        read_cases(tmp_path / "none.toml")


def test_headers_may_have_several_values(tmp_path: Path) -> None:
    (case,) = read(tmp_path, REQUEST + 'headers = { A = ["1", "2"] }\nexpect = { status = 200 }\n')
    assert case.request.headers == (("A", "1"), ("A", "2"))


def answer(body: bytes = b"", *headers: tuple[str, str]) -> TrialAnswer:
    return TrialAnswer("site", 200, headers, body, (), {}, None, (), 0)


SILENT = TrialAnswer("endless", 0, (), b"", (), {}, None, (), 0)


@pytest.mark.parametrize(
    ("expect", "given", "said"),
    [
        ("status = 201", answer(), "status: expected 201, got 200"),
        ("answered_by = 'script'", answer(), "answered by: expected script, got site"),
        ("headers = { A = 'x' }", answer(b"", ("a", "y")), "header a: expected `x`, got `y`"),
        ("headers = { a = ['x', 'y'] }", answer(b"", ("A", "x")), "expected `x`, `y`, got `x`"),
        ("matching = { a = 'x+' }", answer(b"", ("a", "xxy")), "like `x+`, got `xxy`"),
        ("absent = 'a'", answer(b"", ("A", "x")), "header a: expected none, got `x`"),
        ("contains = 'abc'", answer(b"ab"), "body: expected `abc` in it, got `ab`"),
        ("body = 'a'", answer(b"a\n"), "body differs:\n  -'a'\n  +'a\\n'"),
        ("json = { a = 1 }", answer(b'{"a": 2}'), '  -  "a": 1\n  +  "a": 2'),
        ("json = { a = 1 }", answer(b"{"), "body: expected JSON, got `{`"),
        ("json = { a = [true] }", answer(b'{"a": [1]}'), "-    true\n  +    1"),
        ("status = 200", SILENT, "expected 200, got no answer: a script did not end within 5 s"),
    ],
)
def test_differences_are_told(tmp_path: Path, expect: str, given: TrialAnswer, said: str) -> None:
    (case,) = read(tmp_path, f"{REQUEST}expect = {{ {expect} }}\n")
    (fault,) = differences(case.expected, given)
    assert said in fault


def test_what_is_as_expected_has_no_differences(tmp_path: Path) -> None:
    text = (
        "expect = { status = 200, headers = { A = ['1', '2'] }, matching = { a = '[12]' },"
        " absent = ['b'], contains = ['{', '}'], json = { n = [1.0] }, answered_by = 'site' }\n"
    )
    (case,) = read(tmp_path, REQUEST + text)
    given = answer(b'{"n": [1]}', ("a", "1"), ("A", "2"))
    assert differences(case.expected, given) == []
