"""Frozen values behave as frozen dataclasses do, which are their model here."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.frozen import frozen, hidden, is_frozen, names_of, replace


class Kind:
    mutates: ClassVar[bool] = False


@frozen
class Point(Kind):
    """Three fields, two with defaults, and one name that is no field."""

    mutates: ClassVar[bool] = True
    x: int
    y: int = 2
    z: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Model(Kind):
    mutates: ClassVar[bool] = True
    x: int
    y: int = 2
    z: tuple[int, ...] = ()


@frozen
class Even:
    """Checks itself."""

    n: int

    def __post_init__(self) -> None:
        if self.n % 2:
            raise ValueError(self.n)


@frozen
class Pair:
    """One of the two is secret."""

    name: str
    key: bytes = hidden()


def made(kind: type[Any], values: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any] | str:
    """Its fields, or the name of what it raised."""
    try:
        value = kind(*values, **named)
    except TypeError as error:
        return type(error).__name__
    return {name: getattr(value, name) for name in ("x", "y", "z")}


@given(
    st.lists(st.integers(), max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["x", "y", "z", "w", "mutates"]), st.integers()),
)
def test_the_same_arguments_make_the_same_or_are_refused(
    values: tuple[int, ...], named: dict[str, int]
) -> None:
    assert made(Point, values, named) == made(Model, values, named)


def test_equality_hash_and_text() -> None:
    assert Point(1) == Point(x=1, y=2)
    assert Point(1) != Point(1, 3)
    assert Point(1) != Model(1)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert repr(Point(1)) == repr(Model(1)).replace("Model", "Point")


def test_nothing_can_be_changed() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match=r"`Point\.x` is frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    assert replace(point, y=5) == Point(1, 5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'w'"):
        replace(point, w=5)


def test_a_check_of_its_own_runs() -> None:
    with pytest.raises(ValueError, match="3"):
        Even(3)
    with pytest.raises(ValueError, match="3"):
        replace(Even(2), n=3)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(TypeError, match=r"Point\(\) missing 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="multiple values for argument 'x'"):
        Point(1, x=1)  # type: ignore[misc]


def test_dataclasses_take_them_for_their_own() -> None:
    point = Point(1, z=(3,))
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "z": (3,)}
    assert dataclasses.replace(point, x=4) == Point(4, z=(3,))
    assert [each.name for each in dataclasses.fields(Point)] == list(names_of(Point))
    assert [each.default for each in dataclasses.fields(Point)][1:] == [2, ()]


def test_only_frozen_ones_are_told_apart() -> None:
    assert is_frozen(Point)
    assert is_frozen(Point(1))
    assert not is_frozen(Model(1))


def test_a_hidden_field_is_in_no_text() -> None:
    pair = Pair("a", b"secret")
    assert repr(pair) == "Pair(name='a')"
    assert pair != Pair("a", b"other")
    assert pair.key == b"secret"
    with pytest.raises(TypeError, match="missing 'key'"):
        Pair("a")  # type: ignore[call-arg]
