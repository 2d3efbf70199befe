"""`zsops deploy`: plan, ask, do, and say what the hosts say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.cli.plan_file import read_plan
from zsops.cli.watch import watch
from zsops.report.plan_text import plan_text


def deploy(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Do exactly this saved plan, or nothing."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")
    ] = "",
    no_confirm_window: Annotated[
        bool,
        typer.Option(
            "--no-confirm-window",
            help="Trust the host's own health check: no look from here, no fresh session.",
        ),
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try a release again that failed on this host.")
    ] = False,
) -> None:
    """Build, plan, and put the result into service; revert by itself if it is not healthy."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    made = read_plan(invocation.directory / plan) if plan else None
    if made is None:
        made = fleet.plan(on_line=invocation.detail)
        if invocation.form == "text":
            invocation.say(plan_text(made))
    if not made.is_no_op and not yes and plan is None and _may_ask(invocation):
        typer.confirm(f"deploy to {fleet.env}?", abort=True, err=True)
    run = fleet.deploy(
        made, reason=reason, confirm_window=not no_confirm_window, retry_failed=retry
    )
    raise typer.Exit(watch("deploy", run, invocation, made))


def _may_ask(invocation: Invocation) -> bool:
    """Only a person at a terminal is asked."""
    return invocation.form == "text" and sys.stdin.isatty() and sys.stderr.isatty()
