"""`zsops promote` and `zsops abort`: what becomes of a deployment that is half way.

What is half way is read from the hosts: some serve the newest release, some an older one. There is
no state anywhere else that could be lost or wrong.
"""

from __future__ import annotations

from typing import Annotated

import typer

from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.cli.watch import watch
from zsops.report.plan_text import plan_text

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")]


def promote(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Reason = "",
) -> None:
    """Bring the release that the first wave serves to the rest."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    plan = fleet.promotion(on_line=invocation.detail)
    if invocation.form == "text":
        invocation.say(plan_text(plan))
    strategy = fleet.strategy().model_copy(update={"promote": "auto"})
    run = fleet.deploy(plan, reason=reason or "promoted", strategy=strategy)
    raise typer.Exit(watch("promote", fleet, run, invocation, plan))


def abort(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    reason: Reason = "",
) -> None:
    """Take the hosts that are ahead of the others back to what they served before."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    run = fleet.abort(reason=reason)
    raise typer.Exit(watch("abort", fleet, run, invocation))
