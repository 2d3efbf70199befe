"""Script limits: the flags for what one request's scripts may take."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from zeroserve.cli.values import positive_int
from zeroserve.config.model import ScriptLimits

Function = TypeVar("Function", bound=Callable[..., Any])

SCRIPT_LIMITS = (
    (
        "--preempt-timer-interval-ms",
        "time_slice_ms",
        "MS",
        "Time that a script runs before other requests have their turn. Measured by fuel, not by a "
        "timer: a longer slice gains nothing.",
    ),
    (
        "--max-request-external-memory-footprint-kb",
        "footprint_kb",
        "KB",
        "JSON, metadata, responses and log lines that one request's scripts may hold, beside their "
        "own 512 KiB. More ends the script, with 500.",
    ),
    (
        "--max-buffered-body-size-kb",
        "buffered_body_kb",
        "KB",
        "Of a request's body that a script may read; of a larger one it gets nothing.",
    ),
    (
        "--max-rate-limit-buckets",
        "rate_limit_buckets",
        "N",
        "Keys in the table of rate limits. Beyond it a new key is refused, known ones go on.",
    ),
)


def script_limit_options(function: Function) -> Function:
    """Give a command the flags of all script limits."""
    for flag, field, unit, text in reversed(SCRIPT_LIMITS):
        option = click.option(
            flag,
            field,
            type=positive_int,
            metavar=unit,
            default=getattr(ScriptLimits, field),
            show_default=True,
            help=text,
        )
        function = option(function)
    return function


def take_script_limits(flags: dict[str, Any]) -> ScriptLimits:
    """Take what `script_limit_options` added out of a command's arguments."""
    return ScriptLimits(**{field: flags.pop(field) for _, field, _, _ in SCRIPT_LIMITS})
