"""`zsops status`: what each host runs, and whether that is what it should be."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, document, error_object, print_document
from zsops.cli.options import EnvOption, PlaceArgument
from zsops.cli.release_names import remember, remember_more
from zsops.errors import ExitCode, worst
from zsops.facts.status import InstanceStatus, troubles
from zsops.report.quantities import age_text, days_left_text, short_digest

_HEADER = (
    "HOST",
    "INSTANCE",
    "RELEASE",
    "SITE",
    "SERVING",
    "SINCE",
    "BY",
    "DAEMON",
    "CERT",
    "STATE",
    "URL",
)


def status(
    context: typer.Context, where: PlaceArgument = None, env_option: EnvOption = None
) -> None:
    """Show what every instance serves. Fails when one does not serve what it should."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet_at(where, env_option)
    found = fleet.status()
    names = [each.release for one in found for each in one.observation.releases]
    # A look at a part of the hosts tells nothing about what the others keep.
    keep = remember if fleet.is_whole else remember_more
    keep(fleet.project.directory, fleet.env, names)
    errors = [error for each in found if (error := each.problem(fleet.env)) is not None]
    codes = [error.exit_code for error in errors]
    codes += [ExitCode.DRIFT for each in found if each.state == "drift"]
    code = worst(codes)
    result = {"environment": fleet.env, "instances": [_result(each) for each in found]}
    if invocation.form == "text":
        invocation.answer("status", result, columns(_HEADER, [_row(each) for each in found]), code)
        for each in found:
            for line in _remarks(each):
                invocation.say(line)
        for error in errors:
            invocation.console().print(error.render(), markup=False)
    else:
        answer = document("status", result, code)
        print_document(answer | {"error": error_object(errors[0] if errors else None)})
    raise typer.Exit(code)


def _row(status: InstanceStatus) -> tuple[str, ...]:
    seen = status.observation
    current, daemon = seen.current, seen.daemon
    deployed = current is not None and current.number > 0
    certificate = current.certificate if current and deployed else None
    serving = "-"
    if daemon.running:
        same = current is not None and daemon.site_digest == current.site_digest
        serving = f"{short_digest(daemon.site_digest)} {'match' if same else 'differs'}"
    return (
        status.host,
        status.instance,
        current.release if current and deployed else "-",
        short_digest(current.site_digest) if current and deployed else "-",
        serving,
        age_text(current.created) if current and deployed else "-",
        (current.who or "-") if current and deployed else "-",
        (daemon.version or "?") if daemon.running else "-",
        days_left_text(certificate.not_after) if certificate else "-",
        status.state,
        status.url,
    )


def _remarks(status: InstanceStatus) -> list[str]:
    seen = status.observation
    name = f"{status.instance} on {status.host}"
    remarks = []
    if seen.deadline_s is not None:
        remarks.append(f"{name}: not confirmed, goes back in {seen.deadline_s:.0f} s")
    remarks += [f"{name}: {line}" for line in troubles(seen.daemon)]
    if seen.drift:
        remarks.append(f"{name}: drift: {seen.drift}")
    if seen.hold is not None:
        why = f": {seen.hold.why}" if seen.hold.why else ""
        remarks.append(f"{name}: paused by {seen.hold.who}{why}; `zsops resume`")
    if seen.lease is not None:
        why = f': "{seen.lease.why}"' if seen.lease.why else ""
        remarks.append(f"{name}: held by {seen.lease.who}{why}")
    return remarks


def _result(status: InstanceStatus) -> dict[str, Any]:
    seen = status.observation
    return {
        "host": status.host,
        "instance": status.instance,
        "state": status.state,
        "url": status.url,
        "release": seen.current.release if seen.current else None,
        "site_digest": seen.current.site_digest if seen.current else None,
        "release_digest": seen.current.release_digest if seen.current else None,
        "last_good": seen.last_good,
        "phase": seen.phase.value,
        "deadline_s": seen.deadline_s,
        "drift": seen.drift,
        "unsafe": seen.unsafe,
        "daemon": asdict(seen.daemon),
        "releases": [asdict(each) for each in seen.releases],
        "lease": asdict(seen.lease) if seen.lease else None,
        "hold": asdict(seen.hold) if seen.hold else None,
    }
