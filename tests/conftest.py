"""What every test run says first: the outside programs that take part."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from support.counterparts import report

# A property must fail here or not at all: the same examples everywhere, and no deadline, since
# a busy machine is not a bug. New examples are what a developer's own runs are for.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("developer", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name each counterpart with its version, when end-to-end tests are wanted."""
    wanted = str(config.getoption("markexpr", ""))
    if "not e2e" in wanted or hasattr(config, "workerinput"):
        return []
    return report()
