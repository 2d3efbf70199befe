"""Frozen values to JSON values and back, strictly: unknown or missing keys are errors.

One small codec for the wire and the files under the host's root, so that a message class is the
only place that says what it holds.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, cast

from zsops.errors import ProtocolMismatch
from zsops.frozen import is_frozen, names_of

T = TypeVar("T")


def to_json(value: object) -> object:
    """A JSON value for a message, an enum, a tuple or a scalar."""
    if isinstance(value, Enum):
        return value.value
    if is_frozen(value):
        return {name: to_json(getattr(value, name)) for name in names_of(value)}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], value: object) -> T:
    """A `kind` out of what `json.loads` gave; `ProtocolMismatch` names the first odd place."""
    try:
        return cast("T", _decoder(kind)(value))
    except _OddError as odd:
        raise ProtocolMismatch(f"`{kind.__name__}{odd.place}` {odd.text}") from odd


def shortened(text: str, bytes_max: int) -> str:
    """`text` in at most `bytes_max` bytes of JSON, escapes included; always encodable."""
    text = text[:bytes_max].encode("utf-8", "replace").decode("utf-8")
    while len(json.dumps(text, ensure_ascii=False).encode()) > bytes_max:
        text = text[: len(text) * 3 // 4]
    return text


class _OddError(Exception):
    """What does not fit. `place`: where below, written while the error passes on its way up."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.place = ""


#: By kind: a class's fields are looked up once, since a session decodes hundreds of values.
_known: dict[object, Callable[[Any], object]] = {}


def _decoder(kind: object) -> Callable[[Any], object]:
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = _make(kind)
    return found


def _make(kind: object) -> Callable[[Any], object]:
    origin = typing.get_origin(kind)
    if origin is types.UnionType or origin is typing.Union:
        return _optional(typing.get_args(kind))
    if origin is tuple:
        return _tuple(typing.get_args(kind))
    if isinstance(kind, type):
        if is_frozen(kind):
            return _message(kind)
        return _enum(kind) if issubclass(kind, Enum) else _scalar(kind)
    raise TypeError(f"the codec does not know {kind!r}")


def _optional(choices: tuple[object, ...]) -> Callable[[Any], object]:
    (kind,) = [choice for choice in choices if choice is not type(None)]
    decode, or_none = _decoder(kind), type(None) in choices
    return lambda value: None if value is None and or_none else decode(value)


def _tuple(kinds: tuple[object, ...]) -> Callable[[Any], object]:
    alike = len(kinds) == 2 and kinds[1] is Ellipsis
    decoders = [_decoder(kinds[0])] if alike else [_decoder(each) for each in kinds]

    def decode(value: object) -> object:
        if not isinstance(value, list):
            raise _OddError("should be a list")
        if not alike and len(value) != len(decoders):
            raise _OddError(f"should have {len(decoders)} items, has {len(value)}")
        found = []
        try:
            for number, item in enumerate(value):
                found.append(decoders[0 if alike else number](item))
        except _OddError as odd:
            odd.place = f"[{len(found)}]{odd.place}"
            raise
        return tuple(found)

    return decode


def _message(kind: type[object]) -> Callable[[Any], object]:
    fields: dict[str, Callable[[Any], object]] = {}

    def decode(value: object) -> object:
        if not fields:  # not while it is made: a message may hold one of its own kind
            fields.update({k: _decoder(v) for k, v in typing.get_type_hints(kind).items()})
        if not isinstance(value, dict):
            raise _OddError("should be an object")
        decoded = {}
        name = ""
        try:
            for name, item in value.items():
                decoded[name] = fields[name](item)
        except KeyError:
            unknown = min(str(each) for each in value if each not in fields)
            raise _OddError(f"has an unknown key `{unknown}`") from None
        except _OddError as odd:
            odd.place = f".{name}{odd.place}"
            raise
        try:
            return kind(**decoded)
        except TypeError as missing:
            raise _OddError(f"lacks a key ({missing})") from missing

    return decode


def _enum(kind: type[Enum]) -> Callable[[Any], object]:
    def decode(value: object) -> object:
        try:
            return kind(value)
        except ValueError:
            raise _OddError(f"has an unknown value `{value}`") from None

    return decode


def _scalar(kind: type[object]) -> Callable[[Any], object]:
    if kind not in (str, int, float, bool):
        raise TypeError(f"the codec does not know {kind!r}")

    def decode(value: object) -> object:
        if kind is float and (type(value) is int or type(value) is float):
            return _finite(value)
        if type(value) is kind:
            return value
        raise _OddError(f"should be {kind.__name__}, is {type(value).__name__}")

    return decode


def _finite(value: float) -> float:
    """JSON knows neither NaN nor infinity, and Python's reader takes both: a time that is neither
    before nor after any other would never come."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _OddError("should be a finite number")
    return number
