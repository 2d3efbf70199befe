"""`zsops pause` and `zsops resume`: no further deployment, until somebody says so."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; others read it.")]


def pause(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Reason = "",
) -> None:
    """Keep deployments from the hosts. A run under way finishes its hosts, then waits."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    held = upkeep.pause(fleet, reason)
    result = [{"host": host, "hold": asdict(each)} for host, each in held]
    text = "\n".join(f"{host}: paused" for host, _ in held)
    invocation.answer("pause", {"environment": fleet.env, "holds": result}, text)


def resume(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Reason = "",
) -> None:
    """Let deployments go on, whoever paused them."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    lifted = upkeep.resume(fleet, reason)
    result = [{"host": host, "hold": asdict(each) if each else None} for host, each in lifted]
    lines = [
        f"{host}: goes on, was paused by {each.who}" if each else f"{host}: was not paused"
        for host, each in lifted
    ]
    invocation.answer("resume", {"environment": fleet.env, "holds": result}, "\n".join(lines))
