"""How an instance ended, and what that means for the whole run's exit code: one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zsops.errors import ExitCode, ZsopsError, worst
from zsops.report.events import ErrorInfo, Outcome

#: Exit code of one instance's outcome. `failed` and `busy` carry their error's own code.
EXIT_OF_OUTCOME: dict[Outcome, ExitCode] = {
    "committed": ExitCode.OK,
    "unchanged": ExitCode.OK,
    "reverted": ExitCode.REVERTED,
    "self_reverted": ExitCode.SELF_REVERTED,
    "failed": ExitCode.REVERTED,
    "busy": ExitCode.LOCKED,
    "unreachable": ExitCode.UNREACHABLE,
    "unsafe": ExitCode.UNSAFE,
    "unknown": ExitCode.PARTIAL,
    "interrupted": ExitCode.INTERRUPTED,
    "not_started": ExitCode.OK,
}


@dataclass(frozen=True)
class InstanceResult:
    """What the host says after the run. `sent` in bytes."""

    host: str
    instance: str
    outcome: Outcome
    release: str | None = None
    serving: str | None = None
    sent: int = 0
    error: ErrorInfo | None = None
    exit_code: ExitCode = ExitCode.OK


def exit_of(results: Iterable[InstanceResult]) -> ExitCode:
    """Exit code of a run: 0 only if every instance in scope is on the new release.

    Some on the new and some not is PARTIAL, unless one is unsafe or the run was interrupted.
    """
    listed = list(results)
    codes = [each.exit_code for each in listed]
    decided = worst(codes)
    moved = any(each.outcome == "committed" for each in listed)
    stayed = any(each.outcome not in ("committed", "unchanged") for each in listed)
    if (
        moved
        and stayed
        and decided
        not in (
            ExitCode.BUG,
            ExitCode.UNSAFE,
            ExitCode.INTERRUPTED,
        )
    ):
        return ExitCode.PARTIAL
    return decided


def error_info(error: ZsopsError) -> ErrorInfo:
    """The error as an event carries it."""
    return ErrorInfo(code=error.code, message=error.message, hint=error.hint)
