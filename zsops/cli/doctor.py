"""`zsops doctor`: what this machine lacks for deploying from it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation
from zsops.doctor import examine
from zsops.errors import ExitCode


def doctor(context: typer.Context) -> None:
    """Look for what would keep this machine from deploying. `check --live` asks the hosts."""
    invocation: Invocation = context.obj
    found = examine(invocation.config_file)
    bad = any(each.state == "problem" for each in found)
    code = ExitCode.USAGE if bad else ExitCode.OK
    rows = [
        (each.state if each.state != "problem" else "PROBLEM", each.what, each.found)
        for each in found
    ]
    result = {"findings": [asdict(each) for each in found]}
    invocation.answer("doctor", result, columns(("STATE", "WHAT", "FOUND"), rows), code)
    for each in found:
        if each.remedy is not None:
            invocation.say(f"{each.what}: {each.remedy}")
    raise typer.Exit(code)
