"""Cases: requests and what their answers should be, from TOML. Strict: an unknown key is refused.

The cases of a file run in their order on one site, so that what scripts keep (rate limits, values)
can be tried. Their clock stands still, and moves by `wait_ms` only.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeroserve.bridge.trial import PEER_DEFAULT, Headers, TrialRequest
from zeroserve.errors import CaseRefused

#: 2026-01-01 00:00 UTC.
START_MS = 1_767_225_600_000
CASE_BYTES_MAX = 4 << 20
REPEAT_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an answer should be. What is not said is not looked at.

    `headers` maps a name to all its values, in order; `matching` a name to a pattern that a value
    matches whole; `absent` are names that must not be there.
    """

    status: int | None = None
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    matching: dict[str, re.Pattern[str]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    body: str | None = None
    json: object = None
    contains: tuple[str, ...] = ()
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One request, sent `repeat` times `wait_ms` after the last; the last answer is judged."""

    name: str
    request: TrialRequest
    expected: Expectation
    repeat: int = 1
    wait_ms: int = 0


def read_cases(path: Path) -> list[Case]:
    """The cases of a file. Raises `CaseRefused`, which names the file and the case."""
    try:
        data = path.read_bytes()
        document = tomllib.loads(data.decode())
    except OSError as error:
        raise CaseRefused(
            "case-bad", f"`{path}`: {(error.strerror or str(error)).lower()}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CaseRefused("case-bad", f"`{path}`: {error}") from None
    cases = []
    try:
        table = _Table(document, "the file")
        for number, raw in enumerate(table.take("case", list, []), 1):
            cases.append(_case(_Table(raw, f"case {number}")))
        table.finish()
    except ValueError as error:
        raise CaseRefused("case-bad", f"`{path}`: {error}") from None
    if not cases:
        raise CaseRefused("case-bad", f"`{path}`: it has no `[[case]]`")
    return cases


class _Table:
    """A TOML table whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, raw: object, name: str) -> None:
        if not isinstance(raw, dict):
            raise ValueError(f"{name} is no table")  # noqa: TRY004
        self._left = dict(raw)
        self.name = str(raw.get("name", name))

    def take(self, key: str, kind: type, default: Any = None) -> Any:  # noqa: ANN401  # its type is `kind`
        value = self._left.pop(key, default)
        if value is default:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ValueError(f"{self.name}: `{key}` is no {_KINDS[kind]}")
        return value

    def take_any(self, key: str) -> Any:  # noqa: ANN401  # JSON
        return self._left.pop(key, None)

    def take_texts(self, key: str) -> tuple[str, ...]:
        value = self._left.pop(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise ValueError(f"{self.name}: `{key}` is no text and no list of texts")
        return tuple(values)

    def names(self) -> list[str]:
        return list(self._left)

    def finish(self) -> None:
        if self._left:
            raise ValueError(f"{self.name}: there is no key `{next(iter(self._left))}`")


_KINDS: dict[type, str] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    dict: "table",
    list: "list",
}


def _case(table: _Table) -> Case:
    line = table.take("request", str, "")
    name = table.take("name", str, line)
    method, _, target = line.partition(" ")
    if not method or not target.startswith(("/", "*")):
        raise ValueError(f"{table.name}: `request` is not like `GET /path`")
    headers = _headers(_Table(table.take("headers", dict, {}), table.name))
    body = (table.take("body", str) or "").encode()
    document = table.take_any("json")
    if document is not None:
        body = json.dumps(document).encode()
    request = TrialRequest(
        method=method,
        target=target,
        headers=headers,
        body=body,
        peer=table.take("peer", str, PEER_DEFAULT),
        tls=table.take("tls", bool, True),
        http2=table.take("http2", bool, False),
        sni=table.take("sni", str),
        ja4=table.take("ja4", str),
    )
    case = Case(
        name=name,
        request=request,
        expected=_expectation(_Table(table.take("expect", dict, {}), f"{name}: expect")),
        repeat=table.take("repeat", int, 1),
        wait_ms=table.take("wait_ms", int, 0),
    )
    if not 1 <= case.repeat <= REPEAT_MAX or case.wait_ms < 0:
        raise ValueError(f"{name}: `repeat` is 1 to {REPEAT_MAX}, `wait_ms` 0 or more")
    table.finish()
    return case


def _headers(table: _Table) -> Headers:
    return tuple((name, value) for name in table.names() for value in table.take_texts(name))


def _expectation(table: _Table) -> Expectation:
    headers = table.take("headers", dict, {})
    each = _Table(headers, f"{table.name}.headers")
    matching = _Table(table.take("matching", dict, {}), f"{table.name}.matching")
    try:
        patterns = {name.lower(): re.compile(matching.take(name, str)) for name in matching.names()}
    except re.error as error:
        raise ValueError(f"{table.name}: a pattern is wrong: {error}") from None
    expected = Expectation(
        status=table.take("status", int),
        headers={name.lower(): each.take_texts(name) for name in headers},
        matching=patterns,
        absent=tuple(name.lower() for name in table.take_texts("absent")),
        body=table.take("body", str),
        json=table.take_any("json"),
        contains=table.take_texts("contains"),
        answered_by=table.take("answered_by", str),
    )
    table.finish()
    if expected == Expectation():
        raise ValueError(f"{table.name}: nothing is expected")
    return expected
