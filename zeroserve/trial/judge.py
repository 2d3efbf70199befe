"""Judge: an answer against what was expected. Pure; says every difference in one line or a diff."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

from zeroserve.bridge.trial import TrialAnswer
from zeroserve.trial.cases import Expectation

SHOWN_MAX = 400
_SILENCE = {
    "endless": "no answer: a script did not end within 5 s",
    "aborted": "no answer: a script closed the connection",
}


def differences(expected: Expectation, answer: TrialAnswer) -> list[str]:
    """What is not as expected; empty when all is."""
    return [*_head(expected, answer), *_headers(expected, answer), *_body(expected, answer)]


def _head(expected: Expectation, answer: TrialAnswer) -> Iterator[str]:
    if expected.status is not None and expected.status != answer.status:
        found = answer.status or _SILENCE.get(answer.answered_by, "no answer")
        yield f"status: expected {expected.status}, got {found}"
    if expected.answered_by is not None and expected.answered_by != answer.answered_by:
        yield f"answered by: expected {expected.answered_by}, got {answer.answered_by}"


def _headers(expected: Expectation, answer: TrialAnswer) -> Iterator[str]:
    for name, values in expected.headers.items():
        found = answer.values(name)
        if found != values:
            yield f"header {name}: expected {_list(values)}, got {_list(found)}"
    for name, pattern in expected.matching.items():
        found = answer.values(name)
        if not any(pattern.fullmatch(value) for value in found):
            yield f"header {name}: expected a value like `{pattern.pattern}`, got {_list(found)}"
    for name in expected.absent:
        found = answer.values(name)
        if found:
            yield f"header {name}: expected none, got {_list(found)}"


def _body(expected: Expectation, answer: TrialAnswer) -> Iterator[str]:
    text = answer.body.decode(errors="backslashreplace")
    if expected.body is not None and expected.body != text:
        yield "body differs:\n" + _diff(expected.body, text)
    for part in expected.contains:
        if part not in text:
            yield f"body: expected `{part}` in it, got {_cut(text)}"
    if expected.json is not None:
        try:
            found = json.loads(answer.body)
        except ValueError:
            yield f"body: expected JSON, got {_cut(text)}"
            return
        if not _same(found, expected.json):
            yield "body differs:\n" + _diff(_pretty(expected.json), _pretty(found))


def _same(one: object, other: object) -> bool:
    """Equality of JSON: 1 and 1.0 are one number, but 1 is not `true` as it is in Python."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _diff(expected: str, found: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(), found.splitlines(), "expected", "got", lineterm=""
    )
    diff = list(lines) or [f"-{expected!r}", f"+{found!r}"]  # only the line ends differ
    return "\n".join(f"  {line}" for line in diff[:60])


def _pretty(document: object) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values) or "none"


def _cut(text: str) -> str:
    return f"`{text}`" if len(text) <= SHOWN_MAX else f"`{text[:SHOWN_MAX]}…`"
