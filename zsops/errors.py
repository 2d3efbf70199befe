"""The error tree of zsops and its exit codes; shared by the operator's side and the on-host half.

An error names what happened and to what; `hint` is one thing to do. `code` is stable: scripts may
match on it, and it crosses the wire, so that a refusal on a host reads the same to the operator.
"""

# ruff: noqa: N818 - an error is named for what happened (`StalePlan`), as its `code` is.

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """How a zsops command ends. The numbers are documented and never reused."""

    OK = 0
    BUG = 1
    USAGE = 2
    CHANGES = 3  # `plan --detailed-exitcode` only
    LOCKED = 4
    BUILD = 5
    TRUST = 6
    UNREACHABLE = 7
    REVERTED = 8  # failed; the old version serves and is healthy
    PARTIAL = 9
    UNSAFE = 10  # a host needs a person
    STALE_PLAN = 11
    SELF_REVERTED = 12  # the confirmation never came, the host went back by itself
    DRIFT = 13
    CANARY_WAITS = 14
    HOOK = 15  # a required hook failed
    COMMAND_FAILED = 16  # `exec`: on one host at least
    INTERRUPTED = 130


# With several hosts the worst one decides. Failures outside this order (a bug, bad usage, a held
# lock) happen before a host is touched and win over it.
_WORST_FIRST = (
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.UNSAFE,
    ExitCode.PARTIAL,
    ExitCode.SELF_REVERTED,
    ExitCode.REVERTED,
    ExitCode.UNREACHABLE,
    ExitCode.TRUST,
    ExitCode.BUILD,
    ExitCode.HOOK,
    ExitCode.STALE_PLAN,
    ExitCode.LOCKED,
    ExitCode.COMMAND_FAILED,
    ExitCode.DRIFT,
    ExitCode.CANARY_WAITS,
    ExitCode.CHANGES,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code of a run over several hosts: unsafe > partial > self-reverted > reverted > …"""
    seen = set(codes)
    if ExitCode.INTERRUPTED in seen:
        return ExitCode.INTERRUPTED
    return next((code for code in _WORST_FIRST if code in seen), ExitCode.OK)


class ZsopsError(Exception):
    """Root of every error zsops reports; anything else that escapes is our bug (exit 1)."""

    code: ClassVar[str] = "zsops"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """`message`: lower case, what happened and to what. `hint`: one thing to do."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def render(self) -> str:
        """The one or two lines printed to stderr."""
        line = f"error[{self.code}]: {self.message}"
        return line if self.hint is None else f"{line}\nhint: {self.hint}"


# -- the operator's side --------------------------------------------------------------------------


class UsageError(ZsopsError):
    """The command line asks for something that cannot be done."""

    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigError(ZsopsError):
    """`zsops.yaml` is missing or wrong; the text carries file:line:column."""

    code = "config"
    exit_code = ExitCode.USAGE


class BuildError(ZsopsError):
    """A site could not be built or packed."""

    code = "build"
    exit_code = ExitCode.BUILD


class StalePlan(ZsopsError):
    """A host changed since the plan was made (or the plan expired)."""

    code = "stale-plan"
    exit_code = ExitCode.STALE_PLAN


class HostUnreachable(ZsopsError):
    """The host's `zsops-host` did not answer; nothing changed there."""

    code = "host-unreachable"
    exit_code = ExitCode.UNREACHABLE


class LinkLost(HostUnreachable):
    """The link to the host broke in the middle of a request; what it did is read from its state."""

    code = "link-lost"


class OutcomeUnknown(ZsopsError):
    """The link was lost while the host changed its service, and it was not reached again: whether
    the old or the new serves there is not known. What is in flight goes back by itself."""

    code = "outcome-unknown"
    exit_code = ExitCode.PARTIAL


class HostKeyRefused(HostUnreachable):
    """A server showed another key than the known one, or none is known: nothing was said to it."""

    code = "host-key"


class ClockSkew(HostUnreachable):
    """The host's clock and ours are too far apart: certificates would be judged wrongly."""

    code = "clock-skew"


class LoginRefused(HostUnreachable):
    """The server is the right one, but lets us in by none of our keys."""

    code = "login-refused"


# -- refusals and failures a host reports ---------------------------------------------------------


class HostError(ZsopsError):
    """A host refused a request or failed at it before its service was touched."""

    code = "host"
    exit_code = ExitCode.REVERTED


class ProtocolMismatch(HostError):
    """Operator and host speak no common version of the protocol, or a frame made no sense."""

    code = "protocol"
    exit_code = ExitCode.UNREACHABLE


class BadRequest(HostError):
    """A request names something malformed: an instance, a digest, a release."""

    code = "bad-request"
    exit_code = ExitCode.USAGE


class NotInstalled(HostError):
    """The instance does not exist on this host yet."""

    code = "not-installed"
    exit_code = ExitCode.USAGE


class OutOfScope(HostError):
    """The session's key is pinned to other instances than the one it names."""

    code = "out-of-scope"
    exit_code = ExitCode.USAGE


class LeaseHeld(HostError):
    """Somebody else holds the host; the text names holder, age and time to live."""

    code = "lock-held"
    exit_code = ExitCode.LOCKED


class HostHeld(LeaseHeld):
    """Somebody paused deployments to this host, and nobody has resumed them yet."""

    code = "paused"


class StaleToken(HostError):
    """The fencing token is not the newest one: its lease was released, broken or replaced."""

    code = "stale-token"
    exit_code = ExitCode.LOCKED


class DeployInFlight(HostError):
    """Another release is in service and neither confirmed nor reverted yet."""

    code = "deploy-in-flight"
    exit_code = ExitCode.LOCKED


class DigestMismatch(HostError):
    """The bytes received do not hash to the digest that was announced."""

    code = "digest-mismatch"


class ReleaseRefused(HostError):
    """`zeroserve check` found something in the release that a start would refuse."""

    code = "release-refused"


class MaterialRefused(HostError):
    """Certificate, key or ECH keys cannot be opened or are not the ones that were planned with."""

    code = "material-refused"


class Quarantined(HostError):
    """This release already failed on this host and is not tried again unasked."""

    code = "quarantined"


class DiskFull(HostError):
    """No space left for a release; the partial upload was deleted."""

    code = "disk-full"


class CannotArm(HostError):
    """The revert timer could not be armed, so nothing was switched."""

    code = "cannot-arm"


class NoSuchRelease(HostError):
    """A release (or anything to roll back to) does not exist on this host."""

    code = "no-such-release"
    exit_code = ExitCode.USAGE


class NotStaged(HostError):
    """`apply` was asked for a release that is not the staged one."""

    code = "not-staged"


class SelfReverted(HostError):
    """The host went back by itself before the confirmation came."""

    code = "self-reverted"
    exit_code = ExitCode.SELF_REVERTED


class DaemonFailed(HostError):
    """The daemon could not be started, stopped or asked."""

    code = "daemon-failed"


class ProgramRefused(HostError):
    """A wheel is no version of the daemon that this host can run."""

    code = "program-refused"


class DaemonStopped(HostError):
    """The request needs a running daemon and there is none."""

    code = "daemon-not-running"
    exit_code = ExitCode.USAGE


class UnsafeHost(HostError):
    """Neither the new, the previous nor the last good release is healthy: a person is needed."""

    code = "unsafe"
    exit_code = ExitCode.UNSAFE


class UnsafeDirectory(HostError):
    """A directory that only we should have made, in a place where anybody may, is not ours."""

    code = "unsafe-directory"


class HostBug(HostError):
    """The on-host half met a state it has no answer for: our bug."""

    code = "host-bug"
    exit_code = ExitCode.BUG


def _tree(root: type[HostError]) -> dict[str, type[HostError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


def host_error(code: str, message: str, hint: str | None) -> HostError:
    """The typed error for what a host sent; an unknown code (a newer host) stays a `HostError`."""
    kind = _tree(HostError).get(code)
    if kind is None:
        return HostError(f"{message} [{code}]", hint=hint)
    return kind(message, hint=hint)


def wire_error(error: ZsopsError) -> Mapping[str, str | None]:
    """What crosses the wire for `error`."""
    return {"code": error.code, "message": error.message, "hint": error.hint}
