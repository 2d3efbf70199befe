"""Strategies: how a deployment goes from host to host."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from zsops.config.duration import Duration
from zsops.config.values import Section

_COUNT = re.compile(r"[1-9][0-9]{0,5}|(100|[1-9][0-9]?)%")


def _wave(value: object) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not text:
        raise ValueError("must be a number of hosts, a percentage, or a selector")
    if text[0].isdigit() and not _COUNT.fullmatch(text) and "%" in text:
        raise ValueError(f"must be a percentage from 1% to 100%, not `{text}`")
    return text


def _count(value: object) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _COUNT.fullmatch(text):
        raise ValueError(f"must be a number of hosts or a percentage, not `{value}`")
    return text


_NUMBER_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})
#: `canary` (a selector), `1` or `25%` (so many hosts of all, those of earlier waves included).
WaveSpec = Annotated[str, BeforeValidator(_wave), _NUMBER_OR_TEXT]
#: `3` or `50%`.
Count = Annotated[str, BeforeValidator(_count), _NUMBER_OR_TEXT]


class MaxFail(Section):
    """How many hosts may fail before no more are begun."""

    count: int = Field(default=0, ge=0, description="hosts that may fail")
    unreachable: int = Field(
        default=0, ge=0, description="hosts that may be unreachable; counted apart"
    )


class Strategy(Section):
    """Waves one after the other; within a wave so many hosts at a time."""

    waves: tuple[WaveSpec, ...] = Field(
        default=("100%",),
        min_length=1,
        description="selectors, numbers or percentages; who is left over comes last",
    )
    batch: Count = Field(default="25%", description="hosts in work at a time, of a wave")
    soak: Duration | None = Field(
        default=None, description="time a wave must serve well before the next one"
    )
    max_fail: MaxFail = Field(default=MaxFail(), description="when to stop")
    on_fail: Literal["stop", "revert_wave"] = Field(
        default="stop", description="`revert_wave`: the wave's good hosts go back, too"
    )
    promote: Literal["auto", "manual"] = Field(
        default="auto", description="`manual`: stop after the first wave and wait for `promote`"
    )


#: Known without being declared.
BUILT_IN = {
    "rolling": Strategy(),
    "canary": Strategy.model_validate_json(
        '{"waves": ["1", "100%"], "soak": "30s", "on_fail": "revert_wave"}'
    ),
    "all": Strategy(batch="100%"),
}


def hosts_of(count: str, total: int) -> int:
    """`3` or `50%` of `total`, rounded up, at least one."""
    if count.endswith("%"):
        return max(1, -(-total * int(count[:-1]) // 100))
    return min(int(count), max(1, total))
