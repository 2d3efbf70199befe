"""`zsops deploy`: plan, ask, do, and say what the hosts say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from zsops.cli.completion import complete_strategy
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption, Reason
from zsops.cli.plan_file import read_plan
from zsops.cli.watch import watch
from zsops.config.strategy import Strategy
from zsops.errors import UsageError
from zsops.report.plan_text import plan_text

_Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="rolling, canary, all, or one of `strategies`.",
        autocompletion=complete_strategy,
    ),
]


def deploy(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Do exactly this saved plan, or nothing."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Reason = "",
    no_confirm_window: Annotated[
        bool,
        typer.Option(
            "--no-confirm-window",
            help="Trust the host's own health check: no look from here, no fresh session.",
        ),
    ] = False,
    strategy: _Strategy = None,
    waves: Annotated[
        str | None,
        typer.Option("--batch", metavar="WAVES", help="Waves for this run: 1,10%,100%."),
    ] = None,
    max_fail: Annotated[
        str | None,
        typer.Option("--max-fail", metavar="N|P%", help="Hosts that may fail: 2, or 10%."),
    ] = None,
    soak: Annotated[
        str | None, typer.Option("--soak", metavar="TIME", help="Pause between waves: 30s.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try a release again that failed on this host.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Take up a run that was cut off."),
    ] = None,
) -> None:
    """Build, plan, and put the result into service.

    A host where it is not healthy, or where nobody confirms it, goes back by itself. With --site
    the other sites of an instance stay as its host has them.
    """
    invocation: Invocation = context.obj
    made = read_plan(invocation.directory / plan) if plan else None
    if made is not None and invocation.site is None:
        invocation.site = made.site  # what it was made for
    fleet = invocation.fleet(one_environment(env, env_option))
    chosen = adjusted(
        fleet.strategy(strategy),
        waves=waves,
        max_fail=_hosts(max_fail, len(fleet.machines)),
        soak=soak,
    )
    if made is None:
        made = fleet.plan(on_line=invocation.detail, keep_open=True)
        if invocation.form == "text":
            invocation.say(plan_text(made))
    if not made.is_no_op and not yes and plan is None and invocation.may_ask:
        typer.confirm(f"deploy to {fleet.env}?", abort=True, err=True)
    run = fleet.deploy(
        made,
        reason=reason,
        confirm_window=not no_confirm_window,
        retry_failed=retry,
        strategy=chosen,
        resume=resume,
    )
    raise typer.Exit(watch("deploy", run, invocation, made))


def adjusted(
    strategy: Strategy, *, waves: str | None, max_fail: int | None, soak: str | None
) -> Strategy:
    """The strategy with what the command line says instead. Raises UsageError."""
    wish = strategy.model_dump(mode="json", exclude_none=True)
    if waves is not None:
        wish["waves"] = [each.strip() for each in waves.split(",")]
    if max_fail is not None:
        wish["max_fail"]["count"] = max_fail
    if soak is not None:
        wish["soak"] = soak
    try:
        return Strategy.model_validate_json(json.dumps(wish))
    except ValidationError as error:
        first = error.errors()[0]
        said = str(first.get("ctx", {}).get("error", first["msg"]))
        raise UsageError(f"`--{_OPTION.get(str(first['loc'][0]), 'strategy')}` {said}") from None


def _hosts(text: str | None, total: int) -> int | None:
    """`2`, or `10%` of all hosts, rounded down: no more than that may fail."""
    if text is None:
        return None
    number, percent = text.removesuffix("%"), text.endswith("%")
    if not (number.isascii() and number.isdigit()) or (percent and int(number) > 100):
        raise UsageError(f"`--max-fail {text}` is neither a number nor a percentage")
    return total * int(number) // 100 if percent else int(number)


_OPTION = {"waves": "batch", "soak": "soak", "max_fail": "max-fail"}
