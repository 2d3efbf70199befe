"""`zsops history`: who changed what, when, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.columns import columns
from zsops.cli.durations import moment_before
from zsops.cli.invocation import Invocation
from zsops.cli.logs import harmless
from zsops.cli.options import EnvOption, PlaceArgument
from zsops.fleet import Fleet
from zsops.host.upkeep import Evidence

_HEADER = ("WHEN", "HOST", "INSTANCE", "EVENT", "RELEASE", "BY", "WHY", "DETAIL")
#: What tells a person how a deployment ended; the steps between are shown with `--all`.
_ENDINGS = frozenset(
    {"installed", "committed", "reverted", "unsafe", "settings-changed", "lease-broken", "pruned"}
)


def history(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    where: PlaceArgument = None,
    env_option: EnvOption = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="Lines at most.")] = 20,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what is younger: 2h.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every step, not only endings; all evidence.")
    ] = False,
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence",
            help="What each host kept of its last failed deployment: answers, and the log then.",
        ),
    ] = False,
) -> None:
    """Show the hosts' own record, oldest first."""
    invocation: Invocation = context.obj
    oldest = "" if since is None else moment_before("--since", since)
    fleet = invocation.fleet_at(where, env_option)
    if evidence:
        _evidence(invocation, fleet, every=every)
        return
    # Endings are about one line in seven; read enough to fill the page.
    entries = [
        (host, entry)
        for host, entry in fleet.history(limit if every else limit * 10)
        if (every or entry.event in _ENDINGS) and entry.at >= oldest
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


def _evidence(invocation: Invocation, fleet: Fleet, *, every: bool) -> None:
    found = upkeep.evidence(fleet)
    if not every:
        last = {(host, instance): each for host, instance, each in found}
        found = [(*at, each) for at, each in last.items()]
    if not found:
        invocation.say(f"{fleet.env} keeps nothing of a failed deployment")
    result = {
        "environment": fleet.env,
        "evidence": [
            {"host": host, "instance": instance, **asdict(each)} for host, instance, each in found
        ],
    }
    text = "\n".join(line for each in found for line in _lines(*each))
    invocation.answer("history", result, text)


def _lines(host: str, instance: str, found: Evidence) -> Iterator[str]:
    yield f"{instance} on {host}: {found.release} failed at `{found.step}`, {found.at}"
    yield f"  {harmless(found.problem)}"
    if found.results:
        rows = [
            ("ok" if each.ok else "bad", harmless(each.what), each.expected, harmless(each.got))
            for each in found.results
        ]
        table = columns(("", "ASKED", "EXPECTED", "GOT"), rows)
        yield from (f"  {line}" for line in table.splitlines())
    if found.status:
        yield f"  the answer: {found.status}"
        yield from (f"    {harmless(f'{name}: {value}')}" for name, value in found.headers)
        yield from (f"    | {harmless(line)}" for line in found.body.splitlines())
    if found.log:
        yield "  the server's log then"
        yield from (f"    | {harmless(line)}" for line in found.log)
