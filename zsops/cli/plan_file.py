"""Saved plans: JSON of the plan, read back strictly."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from zsops.errors import UsageError
from zsops.plan.model import Plan


def write_plan(plan: Plan, file: Path) -> None:
    """Save `plan`. Raises UsageError when the file cannot be written."""
    try:
        file.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`{file}` cannot be written: {error.strerror}") from error


def read_plan(file: Path) -> Plan:
    """The plan in `file`. Raises UsageError when it is none."""
    try:
        return Plan.model_validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"`{file}` cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise UsageError(
            f"`{file}` is not a plan of this version: {said}",
            hint="make one with `zsops plan --out FILE`",
        ) from error
