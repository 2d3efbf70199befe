"""What each exit code means: the one table, shown by `--help` and checked against the manual."""

from __future__ import annotations

from zsops.errors import ExitCode

MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "every instance in scope is committed, or there was nothing to do",
    ExitCode.BUG: "a fault of zsops itself",
    ExitCode.USAGE: "usage, `zsops.yaml`, or a name that does not exist",
    ExitCode.CHANGES: "`plan --detailed-exitcode`: there are changes",
    ExitCode.LOCKED: "somebody else holds the host",
    ExitCode.BUILD: "a site could not be built",
    ExitCode.TRUST: "a signature is missing or wrong (not in this version)",
    ExitCode.UNREACHABLE: "a host was not reached; nothing changed there",
    ExitCode.REVERTED: "failed, all reverted, the old version is healthy",
    ExitCode.PARTIAL: "some instances are on the new release, some on the old",
    ExitCode.UNSAFE: "a host serves nothing healthy: a person is needed",
    ExitCode.STALE_PLAN: "the plan is stale; nothing was touched",
    ExitCode.SELF_REVERTED: "a host went back by itself: the confirmation was lost",
    ExitCode.DRIFT: "`status`, `drift`, `tls`, `audit`: a host is not as it should be",
    ExitCode.CANARY_WAITS: "the first wave is healthy and waits: `zsops promote`",
    ExitCode.HOOK: "a required hook failed; before a deployment, nothing was touched",
    ExitCode.COMMAND_FAILED: "`exec`: the command failed on a host",
    ExitCode.INTERRUPTED: "interrupted; what was unconfirmed is reverted",
}


def table() -> str:
    """The table for `--help`; `\\b` keeps the lines from being wrapped."""
    lines = [f"{code.value:>4}  {meaning}" for code, meaning in MEANING.items()]
    return "\b\nexit codes:\n" + "\n".join(lines)
