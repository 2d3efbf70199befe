"""`zsops audit`: the hosts' own records, and whether nobody tampered with them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation
from zsops.cli.options import EnvOption, PlaceArgument
from zsops.errors import ExitCode


def audit(
    context: typer.Context,
    where: PlaceArgument = None,
    env_option: EnvOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Walk each host's chain; 13 when one is broken.")
    ] = False,
) -> None:
    """Check the hash chain of every host's audit log."""
    del verify  # there is nothing else to do yet; the word makes scripts say what they mean
    invocation: Invocation = context.obj
    fleet = invocation.fleet_at(where, env_option)
    found = upkeep.audit(fleet)
    broken = [report for _, report in found if not report.intact]
    code = ExitCode.DRIFT if broken else ExitCode.OK
    rows = [
        (host, str(report.entries), "intact" if report.intact else "BROKEN", report.problem or "-")
        for host, report in found
    ]
    result = {"hosts": [{"host": host, **asdict(report)} for host, report in found]}
    text = columns(("HOST", "ENTRIES", "CHAIN", "PROBLEM"), rows)
    invocation.answer("audit", result, text, code)
    raise typer.Exit(code)
