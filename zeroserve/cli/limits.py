"""Limits: the flags for what a connection, or a request's scripts, may take: unit, default, reason.

`docs/manual/limits.md` has the same table, with what is answered at each limit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from zeroserve.cli.values import count, positive_int
from zeroserve.config.model import Limits, ScriptLimits

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Limit:
    """One flag. `field` is that of its record; a count may be 0, which means no limit."""

    flag: str
    field: str
    help: str
    unit: str = "SECONDS"
    is_count: bool = False


LIMITS = (
    Limit(
        "--handshake-timeout",
        "handshake_seconds",
        "For a TLS handshake: a slower client is stuck, or hostile.",
    ),
    Limit(
        "--header-timeout",
        "head_seconds",
        "From the first byte of a request to the end of its head: a client that sends a byte now "
        "and then is not waited for. Then 408.",
    ),
    Limit(
        "--body-timeout",
        "body_seconds",
        "For the body of a request that is answered without it.",
    ),
    Limit(
        "--idle-timeout",
        "idle_seconds",
        "Between two requests: long enough for a reader's next click.",
    ),
    Limit(
        "--send-timeout",
        "send_seconds",
        "For one send, of at most 128 KiB: a client that reads more slowly than about 2 KB/s is "
        "cut.",
    ),
    Limit(
        "--keepalive-requests",
        "requests_per_connection",
        "Requests on one connection. No limit by default: nothing of a connection grows with them.",
        unit="N",
        is_count=True,
    ),
    Limit(
        "--max-connections",
        "connections",
        "Open connections in all. No limit by default: descriptors are the limit.",
        unit="N",
        is_count=True,
    ),
    Limit(
        "--max-connections-per-address",
        "connections_per_address",
        "Open connections from one address (IPv6: one /64). No limit by default: proxies and "
        "mobile networks share addresses.",
        unit="N",
        is_count=True,
    ),
)

SCRIPT_LIMITS = (
    Limit(
        "--preempt-timer-interval-ms",
        "time_slice_ms",
        "Time that a script runs before other requests have their turn. Measured by fuel, not by a "
        "timer: a longer slice gains nothing.",
        unit="MS",
    ),
    Limit(
        "--max-request-external-memory-footprint-kb",
        "footprint_kb",
        "JSON, metadata, responses and log lines that one request's scripts may hold, beside their "
        "own 512 KiB. More ends the script, with 500.",
        unit="KB",
    ),
    Limit(
        "--max-buffered-body-size-kb",
        "buffered_body_kb",
        "Of a request's body that a script may read; of a larger one it gets nothing.",
        unit="KB",
    ),
    Limit(
        "--max-rate-limit-buckets",
        "rate_limit_buckets",
        "Keys in the table of rate limits. Beyond it a new key is refused, known ones go on.",
        unit="N",
    ),
)


def limit_options(function: Function) -> Function:
    """Give a command the flags of all limits."""
    both = [(limit, Limits) for limit in LIMITS] + [
        (limit, ScriptLimits) for limit in SCRIPT_LIMITS
    ]
    for limit, record in reversed(both):
        option = click.option(
            limit.flag,
            limit.field,
            type=count if limit.is_count else positive_int,
            metavar=limit.unit,
            default=getattr(record, limit.field),
            show_default="no limit" if limit.is_count else True,
            help=limit.help + (" 0 means no limit." if limit.is_count else ""),
        )
        function = option(function)
    return function


def take_limits(flags: dict[str, Any]) -> tuple[Limits, ScriptLimits]:
    """Take what `limit_options` added out of a command's arguments."""
    return (
        Limits(**{limit.field: flags.pop(limit.field) for limit in LIMITS}),
        ScriptLimits(**{limit.field: flags.pop(limit.field) for limit in SCRIPT_LIMITS}),
    )
