"""`zsops diff`: what differs between two releases, file by file."""

from __future__ import annotations

from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.completion import complete_release
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvOption
from zsops.report.plan_text import change_text


def diff(
    context: typer.Context,
    old: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="Release: `000041-91b0` or `41`.",
            autocompletion=complete_release,
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(
            metavar="B", help="Release to compare it with.", autocompletion=complete_release
        ),
    ],
    env_option: EnvOption = None,
) -> None:
    """Compare two releases that the hosts keep. Instances that lack one are left out."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(None, env_option))
    found = upkeep.diff(fleet, old, new)
    lines = []
    for (host, instance), changes in found.items():
        lines.append(f"{instance} on {host}" + ("" if changes else ": the same files"))
        lines += [f"  {change_text(each)}" for each in changes]
    result = {
        "instances": [
            {
                "host": host,
                "instance": instance,
                "changes": [each.model_dump(mode="json") for each in changes],
            }
            for (host, instance), changes in found.items()
        ]
    }
    invocation.answer("diff", result, "\n".join(lines))
