"""Selectors: which hosts are meant. `eu & !canary`, `web[2-4] | us`, `dc=fra`, `all`.

A word is a group, a host (with `*`, or a range) or `label=value`. `!` binds closest, then `&`,
then `|` (a comma is one, too). Pure: names in, names out.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator

from zsops.config.hosts import Machine, expand

_TOKEN = re.compile(r"\s*([()!&|,]|[A-Za-z0-9_.*-]+(?:\[[0-9]+-[0-9]+\])?(?:=[A-Za-z0-9_.-]+)?)")
_EVERY = "all"

_Test = Callable[[Machine], bool]


class SelectorError(ValueError):
    """The text is no selector."""


def select(text: str, machines: Iterable[Machine]) -> tuple[Machine, ...]:
    """The machines that `text` means, in their order. Raises SelectorError; may be empty."""
    wanted = _Parser(text).parse()
    return tuple(each for each in machines if wanted(each))


def words(text: str) -> tuple[str, ...]:
    """The words of a selector, for finding one that means nothing. Raises SelectorError."""
    return tuple(each for each in _tokens(text) if each not in "()!&|,")


def means(word: str, machine: Machine) -> bool:
    """Whether one word is about `machine`."""
    label, equals, value = word.partition("=")
    if equals:
        return machine.labels.get(label) == value
    if word == _EVERY or word in machine.groups:
        return True
    return any(fnmatch.fnmatchcase(machine.name, each) for each in expand(word))


def _checked(value: str) -> str:
    try:
        _Parser(value).parse()
    except SelectorError as error:
        raise ValueError(f"must be a selector: {error}") from None
    return value


Selector = Annotated[str, AfterValidator(_checked)]


def _tokens(text: str) -> Sequence[str]:
    found = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise SelectorError(f"`{text}` is not understood at `{text[at:].strip()}`")
        found.append(match[1])
        at = match.end()
    if not found:
        raise SelectorError("it is empty")
    return found


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))

    def parse(self) -> _Test:
        found = self._any()
        if self._tokens:
            raise SelectorError(f"`{self._text}` has `{self._tokens[0]}` where it should end")
        return found

    def _any(self) -> _Test:
        parts = [self._every()]
        while self._tokens and self._tokens[0] in "|,":
            self._tokens.pop(0)
            parts.append(self._every())
        return lambda machine: any(part(machine) for part in parts)

    def _every(self) -> _Test:
        parts = [self._one()]
        while self._tokens and self._tokens[0] == "&":
            self._tokens.pop(0)
            parts.append(self._one())
        return lambda machine: all(part(machine) for part in parts)

    def _one(self) -> _Test:
        if not self._tokens:
            raise SelectorError(f"`{self._text}` ends where a name should follow")
        word = self._tokens.pop(0)
        if word == "!":
            inner = self._one()
            return lambda machine: not inner(machine)
        if word == "(":
            inner = self._any()
            if not self._tokens or self._tokens.pop(0) != ")":
                raise SelectorError(f"`{self._text}` lacks a `)`")
            return inner
        if word in "&|,)":
            raise SelectorError(f"`{self._text}` has `{word}` where a name should stand")
        return lambda machine: means(word, machine)
