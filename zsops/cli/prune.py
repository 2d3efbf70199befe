"""`zsops prune`: old releases go; never one that is or may be needed."""

from __future__ import annotations

from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption

_HEADER = ("HOST", "INSTANCE", "REMOVED", "DAEMONS")


def prune(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=1, help="Releases to keep; as the file says."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove old releases. Current, last good, staged and pinned ones always stay.

    Versions of the daemon that nothing has used for long go as well.
    """
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    found = upkeep.prune(fleet, keep, dry_run=dry_run)
    rows = [
        (host, instance, ", ".join(pruned.removed) or "-", ", ".join(pruned.programs) or "-")
        for host, instance, pruned in found
    ]
    result = {
        "dry_run": dry_run,
        "instances": [
            {
                "host": host,
                "instance": instance,
                "removed": list(pruned.removed),
                "freed_bytes": pruned.freed_bytes,
                "programs": list(pruned.programs),
            }
            for host, instance, pruned in found
        ],
    }
    invocation.answer("prune", result, columns(_HEADER, rows))
