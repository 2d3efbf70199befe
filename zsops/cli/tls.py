"""`zsops tls`: how long certificates last, and bringing new ones out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsops import renewal
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption, Reason
from zsops.cli.watch import watch
from zsops.errors import ExitCode

app = typer.Typer(help="Look at certificates; bring new ones out.", no_args_is_help=True)
_HEADER = ("HOST", "INSTANCE", "TLS", "DAYS", "NOT AFTER", "NAMES", "STATE")


@app.command()
def status(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Show the certificate each instance has in service. Exit 13 when one needs something."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    report = renewal.certificate_report(fleet)
    found = report.certificates
    rows = [
        (
            each.host,
            each.instance,
            each.name or "-",
            "-" if each.days is None else str(each.days),
            each.facts.not_after[:10] if each.facts else "-",
            ",".join(each.facts.names) if each.facts else "-",
            each.state,
        )
        for each in found
    ]
    code = ExitCode.DRIFT if any(each.problem for each in found) else ExitCode.OK
    result = {"environment": fleet.env, "certificates": [asdict(each) for each in found]}
    invocation.answer("tls", result, columns(_HEADER, rows), code)
    for each in found:
        if each.problem is not None:
            invocation.say(f"{each.instance} on {each.host}: the certificate {each.problem}")
    for problem in report.warnings:
        invocation.warn(problem)
    raise typer.Exit(code)


@app.command()
def rotate(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    tls: Annotated[
        str | None,
        typer.Option("--tls", metavar="NAME", help="Only instances that use this certificate."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Bring the project's certificates and keys out, each with the site that is in service.

    A host that has them is left alone: run it again if it was cut off.
    """
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    run = renewal.rotate(fleet, reason=reason, tls=tls)
    raise typer.Exit(watch("tls", run, invocation))
