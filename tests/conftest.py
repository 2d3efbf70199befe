"""What every test run says first: the outside programs that take part."""

from __future__ import annotations

import pytest
from support.counterparts import report


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name each counterpart with its version, when end-to-end tests are wanted."""
    wanted = str(config.getoption("markexpr", ""))
    if "not e2e" in wanted or hasattr(config, "workerinput"):
        return []
    return report()
