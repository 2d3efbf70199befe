"""What `import zsops` offers, and what it must not drag in."""

from __future__ import annotations

import sys

import pytest

import zsops
from zsops import process


def test_fleet_is_the_python_api() -> None:
    from zsops import Fleet

    assert Fleet.__module__ == "zsops.fleet"
    with pytest.raises(AttributeError, match="has no attribute `Flet`"):
        zsops.Flet  # noqa: B018


def test_importing_the_package_loads_no_operator_library() -> None:
    code = (
        "import sys, zsops, zsops.errors, zsops.host.messages\n"
        "print([m for m in ('pydantic', 'typer', 'rich', 'ruamel') if m in sys.modules])"
    )
    done = process.run([sys.executable, "-c", code], timeout_s=60)
    assert done.output == "[]\n", done.errors


def test_operator_never_loads_the_engine() -> None:
    code = "import sys, zsops.cli.commands\nprint('zeroserve._engine' in sys.modules)"
    done = process.run([sys.executable, "-c", code], timeout_s=60)
    assert done.output == "False\n", done.errors
