"""Durations of the command line: `90s`, `10m`, `2h`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from zsops.config.duration import FORM_HINT, parse_duration
from zsops.errors import UsageError

_DAYS = re.compile(r"([1-9][0-9]{0,3})d")


def seconds(option: str, text: str) -> float:
    """The duration that was written after `option`. Raises UsageError."""
    try:
        return parse_duration(text) / 1000
    except ValueError:
        raise UsageError(f"`{option} {text}` is no duration", hint=FORM_HINT) from None


def age_s(option: str, text: str) -> float:
    """As `seconds`, and `7d`: how far one looks back. Raises UsageError."""
    days = _DAYS.fullmatch(text)
    return float(days[1]) * 86_400 if days else seconds(option, text)


def moment_before(option: str, text: str) -> str:
    """The moment that long ago, as hosts write theirs: RFC 3339, UTC, milliseconds."""
    at = datetime.now(UTC) - timedelta(seconds=age_s(option, text))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
