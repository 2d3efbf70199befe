"""Frozen value classes that cost nothing to define, for the on-host half.

`dataclasses` writes the source of six methods for each class and compiles it: 0.6 ms a class, and
every session of `zsops-host` begins with a hundred of them: two thirds of its start, and over many
hosts most of what a deployment without changes costs. Here all classes share one set of methods.

To the rest of the world they are dataclasses: `dataclasses.replace`, `asdict` and `fields` work on
them, and type checkers know the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")

_NAMES: Final = "__frozen_names__"
_DEFAULTS: Final = "__frozen_defaults__"
_SHOWN: Final = "__frozen_shown__"
_FIELDS: Final = "__dataclass_fields__"  # what `dataclasses` goes by


class _Hidden:
    """Marks a field whose value is for nobody's eyes."""


def hidden() -> Any:  # noqa: ANN401 - it stands where a value of any type would
    """A field (without a default) that `repr` leaves out: keys, and bytes by the megabyte."""
    return _Hidden()


@dataclass_transform(frozen_default=True, field_specifiers=(hidden,))
def frozen(kind: type[T]) -> type[T]:
    """Make `kind` a frozen value class of its annotated fields. No inheritance of fields."""
    types: Mapping[str, str] = kind.__annotations__
    names = tuple(name for name, written in types.items() if not written.startswith("ClassVar"))
    given = {name: vars(kind)[name] for name in names if name in vars(kind)}
    kept_back = {name for name, value in given.items() if isinstance(value, _Hidden)}
    for name in kept_back:
        delattr(kind, name)
    defaults = {name: value for name, value in given.items() if name not in kept_back}
    after_init = getattr(kind, "__post_init__", None)
    methods = {
        _NAMES: names,
        _DEFAULTS: defaults,
        _SHOWN: tuple(name for name in names if name not in kept_back),
        _FIELDS: _LazyFields(),
        "__match_args__": names,
        "__init__": _init if after_init is None else _init_and_check,
        "__eq__": _eq,
        "__hash__": _hash,
        "__repr__": _repr,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    for name, value in methods.items():
        setattr(kind, name, value)
    return kind


def is_frozen(value: object) -> bool:
    """Whether this is a frozen class or a value of one."""
    return hasattr(value, _NAMES)


def names_of(value: object) -> tuple[str, ...]:
    """Names of the fields, in order, of a frozen class or value."""
    found: tuple[str, ...] = getattr(value, _NAMES)
    return found


def replace(value: T, /, **changes: Any) -> T:  # noqa: ANN401 - a field may be of any type
    """A copy with some fields changed."""
    return type(value)(**{**value.__dict__, **changes})


# `Any`: these stand in for methods of every value class there is.


def _init(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401
    kind = type(self)
    names = getattr(kind, _NAMES)
    state = {**getattr(kind, _DEFAULTS), **dict(zip(names, values, strict=False)), **named}
    # Every name once: too many values, one given twice and one that is none all end up too short
    # or too long in one of these.
    known = len(state) == len(names) and (not named or named.keys() <= set(names[len(values) :]))
    if len(values) > len(names) or not known:
        raise TypeError(_mistake(kind, values, named))
    self.__dict__.update(state)


def _init_and_check(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401
    _init(self, *values, **named)
    self.__post_init__()


def _mistake(kind: type, values: tuple[Any, ...], named: Mapping[str, Any]) -> str:
    """What is wrong with the arguments, in the words that Python has for it."""
    names = getattr(kind, _NAMES)
    if len(values) > len(names):
        return f"{kind.__name__}() takes {len(names)} values, got {len(values)}"
    for name in named:
        if name not in names:
            return f"{kind.__name__}() got an unexpected keyword argument '{name}'"
        if name in names[: len(values)]:
            return f"{kind.__name__}() got multiple values for argument '{name}'"
    given = {*names[: len(values)], *named, *getattr(kind, _DEFAULTS)}
    missing = ", ".join(f"'{name}'" for name in names if name not in given)
    return f"{kind.__name__}() missing {missing}"


def _eq(self: object, other: object) -> object:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__dict__ == other.__dict__


def _hash(self: Any) -> int:  # noqa: ANN401
    state = self.__dict__
    return hash(tuple(state[name] for name in getattr(self, _NAMES)))


def _repr(self: Any) -> str:  # noqa: ANN401
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in getattr(self, _SHOWN))
    return f"{type(self).__qualname__}({fields})"


def _refuse(self: object, name: str, *value: object) -> NoReturn:
    raise AttributeError(f"`{type(self).__name__}.{name}` is frozen")


class _LazyFields:
    """`__dataclass_fields__`, made by `dataclasses` itself once somebody asks for it."""

    def __get__(self, value: object, kind: type) -> Mapping[str, Any]:
        import dataclasses

        body = {"__annotations__": kind.__annotations__, "__module__": kind.__module__}
        twin: type = type(kind.__name__, (), {**body, **getattr(kind, _DEFAULTS)})
        dataclasses.dataclass(twin)
        found: Mapping[str, Any] = getattr(twin, _FIELDS)
        setattr(kind, _FIELDS, found)
        return found
