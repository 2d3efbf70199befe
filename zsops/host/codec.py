"""Frozen values to JSON values and back, strictly: unknown or missing keys are errors.

One small codec for the wire and the files under the host's root, so that a message class is the
only place that says what it holds.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import TypeVar, cast

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
    return cast("T", _decode(kind, value, kind.__name__))


def shortened(text: str, bytes_max: int) -> str:
    """`text` in at most `bytes_max` bytes of JSON, escapes included; always encodable."""
    text = text[:bytes_max].encode("utf-8", "replace").decode("utf-8")
    while len(json.dumps(text, ensure_ascii=False).encode()) > bytes_max:
        text = text[: len(text) * 3 // 4]
    return text


def _decode(kind: object, value: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if origin is types.UnionType or origin is typing.Union:
        return _decode_optional(typing.get_args(kind), value, where)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), value, where)
    if isinstance(kind, type):
        if is_frozen(kind):
            return _decode_message(kind, value, where)
        if issubclass(kind, Enum):
            return _decode_enum(kind, value, where)
        return _decode_scalar(kind, value, where)
    raise TypeError(f"the codec does not know {kind!r} at {where}")


def _decode_optional(choices: tuple[object, ...], value: object, where: str) -> object:
    if value is None and type(None) in choices:
        return None
    (kind,) = [choice for choice in choices if choice is not type(None)]
    return _decode(kind, value, where)


def _decode_tuple(kinds: tuple[object, ...], value: object, where: str) -> object:
    if not isinstance(value, list):
        raise ProtocolMismatch(f"`{where}` should be a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_decode(kinds[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if len(value) != len(kinds):
        raise ProtocolMismatch(f"`{where}` should have {len(kinds)} items, has {len(value)}")
    return tuple(_decode(k, v, where) for k, v in zip(kinds, value, strict=True))


_known_hints: dict[str, Mapping[str, object]] = {}


def _hints(kind: type[object]) -> Mapping[str, object]:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in _known_hints:
        _known_hints[name] = typing.get_type_hints(kind)
    return _known_hints[name]


def _decode_message(kind: type[object], value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise ProtocolMismatch(f"`{where}` should be an object")
    hints = _hints(kind)
    unknown = set(value) - set(hints)
    if unknown:
        raise ProtocolMismatch(f"`{where}` has an unknown key `{min(unknown)}`")
    decoded = {k: _decode(hints[k], v, f"{where}.{k}") for k, v in value.items()}
    try:
        return kind(**decoded)
    except TypeError as missing:
        raise ProtocolMismatch(f"`{where}` lacks a key ({missing})") from missing


def _decode_enum(kind: type[Enum], value: object, where: str) -> object:
    try:
        return kind(value)
    except ValueError as unknown:
        raise ProtocolMismatch(f"`{where}` has an unknown value `{value}`") from unknown


def _decode_scalar(kind: type[object], value: object, where: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (str, int, float, bool) and type(value) is kind:
        return value
    raise ProtocolMismatch(f"`{where}` should be {kind.__name__}, is {type(value).__name__}")
