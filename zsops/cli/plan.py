"""`zsops plan`: what a deployment would change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.cli.plan_file import write_plan
from zsops.errors import ExitCode
from zsops.report.plan_text import plan_text


def plan(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Save the plan for `deploy --plan`."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 3 when there are changes.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="List every file.")] = False,
) -> None:
    """Say what a deploy would change, file by file. Changes nothing."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    made = fleet.plan(on_line=invocation.detail)
    if out is not None:
        write_plan(made, invocation.directory / out)
        invocation.say(f"saved as `{out}`; it expires at {made.expires}")
    code = ExitCode.CHANGES if detailed_exitcode and not made.is_no_op else ExitCode.OK
    invocation.answer("plan", made.model_dump(mode="json"), plan_text(made, full=full), code)
    raise typer.Exit(code)
