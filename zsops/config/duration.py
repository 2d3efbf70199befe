"""Durations as people write them: `500ms`, `10s`, `5m`, `1h`. Kept as whole milliseconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_FORM = re.compile(r"(\d{1,9})(ms|s|m|h)")
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_LONGEST_MS = 24 * 3_600_000

#: What an error says to write instead.
FORM_HINT = "write a number and a unit: `500ms`, `10s`, `5m` or `1h`"


def parse_duration(value: object) -> int:
    """Milliseconds of `500ms|10s|5m|1h`, up to 24 h. Raises ValueError for anything else."""
    if isinstance(value, str) and (match := _FORM.fullmatch(value)):
        milliseconds = int(match[1]) * _MILLISECONDS[match[2]]
        if 0 < milliseconds <= _LONGEST_MS:
            return milliseconds
        raise ValueError(f"must be more than nothing and at most 24 h, not `{value}`")
    # A bare number is refused: nobody can tell `timeout: 10` seconds from milliseconds later.
    raise ValueError(f"must be a duration, not `{value}`")


def format_duration(milliseconds: int) -> str:
    """The shortest exact spelling, so that `parse_duration(format_duration(n)) == n`."""
    for unit in ("h", "m", "s"):
        count, rest = divmod(milliseconds, _MILLISECONDS[unit])
        if count and not rest:
            return f"{count}{unit}"
    return f"{milliseconds}ms"


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h)$"}),
]
