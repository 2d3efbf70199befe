"""Counts the crash points of a run, over all scenarios and workers, and prints the sum."""

from __future__ import annotations

from typing import Protocol

import pytest


class _Terminal(Protocol):
    """What a summary needs of pytest's reporter."""

    stats: dict[str, list[pytest.TestReport]]

    def write_sep(self, sep: str, title: str) -> None: ...


def pytest_terminal_summary(terminalreporter: _Terminal) -> None:
    """One line at the end."""
    counts = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in report.user_properties
        if name == "crash points"
    ]
    if counts:
        points = sum(int(str(each)) for each in counts)
        text = f"{points:,} crash points in {len(counts)} scenarios"
        terminalreporter.write_sep("-", text)
