"""Values: how numbers on the command line are read, in the wording of the announced interface."""

from typing import TypeVar

import click

Number = TypeVar("Number", int, float)

LARGEST = 2**53  # beyond it a number does not survive JSON


def positive_int(text: str) -> int:
    """A whole number above zero. Raises `BadParameter` for other text."""
    try:
        return _positive(int(text))
    except ValueError:
        raise click.BadParameter(f"invalid number `{text}`") from None


def positive_number(text: str) -> float:
    """A number above zero, perhaps with a fraction. Raises `BadParameter` for other text."""
    try:
        return _positive(float(text))
    except ValueError:
        raise click.BadParameter(f"invalid number `{text}`") from None


def _positive(number: Number) -> Number:
    if number <= 0:
        raise click.BadParameter("value must be greater than zero")
    if not number < LARGEST:  # also what is no number at all
        raise click.BadParameter(f"invalid number `{number}`")
    return number
