"""`zsops logs`: what the daemons say, of all hosts at once."""

from __future__ import annotations

import json
import signal
import sys
import threading
from types import FrameType
from typing import Annotated

import typer

from zsops import tail
from zsops.cli.durations import age_s
from zsops.cli.invocation import Invocation
from zsops.cli.options import EnvOption, PlaceArgument
from zsops.host.upkeep import Log


def logs(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    where: PlaceArgument = None,
    env_option: EnvOption = None,
    follow: Annotated[bool, typer.Option("-F", "--follow", help="Go on with what comes.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what is younger: 10m.")
    ] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="TEXT", help="Only lines with this text.")
    ] = None,
    unit: Annotated[
        Log, typer.Option("--unit", help="Requests, the daemon, or its supervisor.")
    ] = Log.ACCESS,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, max=10_000, help="Newest lines of each instance.")
    ] = 100,
) -> None:
    """Show the instances' logs, merged by time. A deploy key may read them."""
    invocation: Invocation = context.obj
    wish = tail.LogWish(unit, lines, None if since is None else age_s("--since", since), grep)
    fleet = invocation.fleet_at(where, env_option)
    if not follow:
        found = tail.newest(fleet, wish)
        result = {"environment": fleet.env, "lines": [_result(each) for each in found]}
        invocation.answer("logs", result, "\n".join(_text(each) for each in found))
        return
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, end)
    for line in tail.follow(fleet, wish, stop):
        if line.error is not None:
            invocation.say(f"{line.host}: {line.error.message}; trying again")
            continue
        text = _text(line) if invocation.form == "text" else json.dumps(_result(line))
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _text(line: tail.LogLine) -> str:
    return f"{line.host} {line.instance} | {harmless(line.text)}"


def harmless(text: str) -> str:
    """Without what would move a terminal's cursor: visitors write parts of these lines."""
    return "".join(
        each if each.isprintable() or each == "\t" else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def _result(line: tail.LogLine) -> dict[str, str]:
    return {"host": line.host, "instance": line.instance, "line": line.text}
