"""`zsops promote` and `zsops abort`: what becomes of a deployment that is half way.

What is half way is read from the hosts: some serve the newest release, some an older one. There is
no state anywhere else that could be lost or wrong.
"""

from __future__ import annotations

from typing import Annotated

import typer

from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption, Reason
from zsops.cli.watch import watch
from zsops.report.plan_text import plan_text


def promote(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Reason = "",
    percent: Annotated[
        int,
        typer.Option(
            "--percent", metavar="P", min=1, max=100, help="To so many of all hosts; then wait."
        ),
    ] = 100,
) -> None:
    """Bring the release that the first wave serves to the rest."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    plan = fleet.promotion(on_line=invocation.detail)
    if invocation.form == "text":
        invocation.say(plan_text(plan))
    run = fleet.promote(plan, reason=reason, percent=percent)
    raise typer.Exit(watch("promote", run, invocation, plan))


def abort(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Reason = "",
) -> None:
    """Take hosts that are ahead of the others back. They serve what they did before."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    run = fleet.abort(reason=reason)
    raise typer.Exit(watch("abort", run, invocation))
