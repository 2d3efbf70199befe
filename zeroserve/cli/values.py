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


def count(text: str) -> int:
    """A whole number, where 0 means no limit. Raises `BadParameter` for other text."""
    text = str(text)  # click sends a default through here as well
    if text.isascii() and text.isdigit() and int(text) < LARGEST:
        return int(text)
    raise click.BadParameter(f"invalid number `{text}`")


def port(text: str) -> int:
    """A port, 1 to 65535. Raises `BadParameter` for other text."""
    number = positive_int(text)
    if number > 65535:
        raise click.BadParameter(f"`{text}` is no port")
    return number


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
