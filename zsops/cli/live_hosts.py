"""Hosts that were asked what they are, as a table and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zsops.cli.columns import columns
from zsops.errors import ExitCode, worst
from zsops.live import LiveHost
from zsops.report.quantities import size_text

_HEADER = ("HOST", "READY", "ANSWER", "CLOCK", "USER", "FREE", "SYSTEMD", "SOFTWARE", "KERNEL")


def table(found: Sequence[LiveHost]) -> str:
    """A row for each."""
    return columns(_HEADER, [_row(each) for each in found])


def code_of(found: Sequence[LiveHost]) -> ExitCode:
    """The worst of them: 7 for one out of reach, 13 for one that is not ready."""
    return worst(_code(each) for each in found)


def problems(found: Sequence[LiveHost]) -> list[str]:
    """A line for everything that would keep a deployment from going well."""
    return [f"{each.host}: {problem}" for each in found for problem in each.problems]


def results(found: Sequence[LiveHost]) -> list[dict[str, Any]]:
    """The same as data."""
    return [
        {
            "host": each.host,
            "problems": list(each.problems),
            "skew_s": each.skew_s,
            "ms": each.ms,
            "facts": asdict(each.facts) if each.facts else None,
        }
        for each in found
    ]


def _code(each: LiveHost) -> ExitCode:
    if each.error is not None:
        return each.error.exit_code
    return ExitCode.DRIFT if each.problems else ExitCode.OK


def _row(each: LiveHost) -> tuple[str, ...]:
    facts = each.facts
    if facts is None:
        return (each.host, "no", *["-"] * (len(_HEADER) - 2))
    return (
        each.host,
        "no" if each.problems else "yes",
        f"{each.ms} ms",
        f"{each.skew_s:+.0f} s",
        facts.user,
        size_text(facts.free_bytes),
        "yes" if facts.systemd else "no",
        facts.software,
        facts.kernel,
    )
