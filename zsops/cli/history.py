"""`zsops history`: who changed what, when, and how it ended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption

_HEADER = ("WHEN", "HOST", "INSTANCE", "EVENT", "RELEASE", "BY", "WHY", "DETAIL")
#: What tells a person how a deployment ended; the steps between are shown with `--all`.
_ENDINGS = frozenset(
    {"installed", "committed", "reverted", "unsafe", "settings-changed", "lease-broken", "pruned"}
)


def history(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="Lines at most.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="Every step, not only endings.")] = False,
) -> None:
    """Show the hosts' own record, oldest first."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    # Endings are about one line in seven; read enough to fill the page.
    entries = [
        (host, entry)
        for host, entry in fleet.history(limit if every else limit * 10)
        if every or entry.event in _ENDINGS
    ][-limit:]
    rows = [
        (
            entry.at,
            host,
            entry.instance,
            entry.event,
            entry.release or "-",
            entry.who or "-",
            entry.why or "-",
            entry.detail,
        )
        for host, entry in entries
    ]
    result = {
        "environment": fleet.env,
        "entries": [{"host": host, **asdict(entry)} for host, entry in entries],
    }
    if not rows:
        invocation.say(f"nothing happened yet in {fleet.env}")
    invocation.answer("history", result, columns(_HEADER, rows) if rows else "")
