"""`zsops lock`: who holds the hosts; taking and breaking that."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.config.duration import FORM_HINT, parse_duration
from zsops.errors import UsageError
from zsops.report.quantities import duration_text

app = typer.Typer(help="See, take and break the hosts' leases.", no_args_is_help=True)

_HEADER = ("HOST", "HOLDER", "AGE", "ENDS", "WHY")


@app.command("ls")
def show(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Who holds each host, since when, until when, and why."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    rows, result = [], []
    for host, lease in upkeep.leases(fleet):
        result.append({"host": host, "lease": asdict(lease) if lease else None})
        if lease is None:
            rows.append((host, "-", "-", "-", "-"))
            continue
        age, ends = (duration_text(round(each * 1000)) for each in (lease.age_s, lease.ttl_s))
        rows.append((host, lease.who, age, f"{ends} after its last use", lease.why or "-"))
    invocation.answer("lock", {"leases": result}, columns(_HEADER, rows))


@app.command()
def take(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")] = "",
    ttl: Annotated[str, typer.Option("--ttl", metavar="TIME", help="How long: 30m.")] = "30m",
) -> None:
    """Keep everybody else from deploying; ends by itself."""
    invocation: Invocation = context.obj
    try:
        seconds = parse_duration(ttl) / 1000
    except ValueError:
        raise UsageError(f"`--ttl {ttl}` is no duration", hint=FORM_HINT) from None
    fleet = invocation.fleet(one_environment(env, env_option))
    taken = upkeep.take_leases(fleet, reason, seconds)
    text = "\n".join(f"{host}: taken for {ttl}, token {lease.token}" for host, lease in taken)
    result = [{"host": host, "lease": asdict(lease)} for host, lease in taken]
    invocation.answer("lock", {"leases": result}, text)


@app.command("break")
def break_(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")] = "",
) -> None:
    """End whoever's lease it is; the hosts write it down."""
    invocation: Invocation = context.obj
    if not reason:
        raise UsageError("breaking a lease wants a reason", hint="add `--reason TEXT`")
    fleet = invocation.fleet(one_environment(env, env_option))
    broken = upkeep.break_leases(fleet, reason)
    lines = [
        f"{host}: broke the lease of {lease.who}" if lease else f"{host}: nobody held it"
        for host, lease in broken
    ]
    result = [{"host": host, "lease": asdict(lease) if lease else None} for host, lease in broken]
    invocation.answer("lock", {"leases": result}, "\n".join(lines))
