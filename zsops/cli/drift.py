"""`zsops drift`: does every host serve what it was given, and nothing else?"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Any

import typer

from zsops import drift as drifting
from zsops.cli.columns import columns
from zsops.cli.durations import seconds
from zsops.cli.invocation import Invocation
from zsops.cli.options import EnvOption, PlaceArgument
from zsops.config.duration import format_duration
from zsops.drift import Found, Looked, Report
from zsops.errors import ExitCode
from zsops.fleet import Fleet
from zsops.report.events import DriftEvent, SummaryEvent
from zsops.report.run_id import new_run_id, timestamp
from zsops.upkeep import HealedAt


def drift(
    context: typer.Context,
    where: PlaceArgument = None,
    env_option: EnvOption = None,
    heal: Annotated[
        bool, typer.Option("--heal", help="Bring hosts back to their own record first.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again; tell only what changes.")
    ] = False,
    interval: Annotated[
        str, typer.Option("--interval", metavar="TIME", help="Between two looks of --watch.")
    ] = "60s",
) -> None:
    """Compare what hosts serve with their own record. Exit 13 when one differs.

    With --watch it goes on until it is interrupted, and ends as the last look would.
    """
    invocation: Invocation = context.obj
    pause_s = seconds("--interval", interval)
    fleet = invocation.fleet_at(where, env_option)
    if watch:
        raise typer.Exit(_watch(invocation, fleet, pause_s, heal=heal))
    report = drifting.report(fleet, heal=heal)
    _talk(invocation, report)
    _answer(invocation, fleet, report)
    raise typer.Exit(report.exit_code)


def _watch(invocation: Invocation, fleet: Fleet, pause_s: float, *, heal: bool) -> ExitCode:
    """Until a signal (or the end of `--timeout`): a look that is under way is finished."""
    stop = threading.Event()
    run = new_run_id()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second ^C leaves at once

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.signal(number, end) for number in watched}
    last = Report(())
    try:
        invocation.say(
            f"looking at {len(fleet.scope)} instances of {fleet.env} every"
            f" {format_duration(round(pause_s * 1000))}; ^C ends it"
        )
        for looked in drifting.watch(fleet, lambda: not stop.wait(pause_s), heal=heal):
            last = looked.report
            _talk(invocation, last)
            _tell_changes(invocation, looked, run)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if invocation.form == "json":
        _answer(invocation, fleet, last)
    elif invocation.form == "jsonl":
        invocation.emit(SummaryEvent(t=timestamp(), run=run, exit=int(last.exit_code)))
    return last.exit_code


def _tell_changes(invocation: Invocation, looked: Looked, run: str) -> None:
    for each in looked.changes:
        at = timestamp()
        if invocation.form == "jsonl":
            invocation.emit(
                DriftEvent(
                    t=at,
                    run=run,
                    host=each.host,
                    instance=each.instance,
                    state=each.state,
                    drift=each.drift,
                )
            )
        elif invocation.form == "text":
            sys.stdout.write(f"{at}  {each.host}  {each.instance}  {each.drift or each.state}\n")
            sys.stdout.flush()


def _talk(invocation: Invocation, report: Report) -> None:
    for done in report.healed:
        for text in done.done:
            invocation.say(f"{done.instance} on {done.host}: {text}")
        if done.error is not None:
            invocation.say(f"{done.instance} on {done.host}: {done.error.render()}")
    for problem in report.warnings:
        invocation.warn(problem)


def _answer(invocation: Invocation, fleet: Fleet, report: Report) -> None:
    rows = [(each.host, each.instance, each.state, each.drift or "-") for each in report.found]
    answer = {
        "environment": fleet.env,
        "instances": [_result(each) for each in report.found],
        "healed": _healed(report.healed),
    }
    text = columns(("HOST", "INSTANCE", "STATE", "DRIFT"), rows)
    invocation.answer("drift", answer, text, report.exit_code)


def _result(found: Found) -> dict[str, Any]:
    return {
        "host": found.host,
        "instance": found.instance,
        "state": found.state,
        "drift": found.drift,
    }


def _healed(healed: Sequence[HealedAt]) -> list[dict[str, Any]]:
    return [
        {
            "host": each.host,
            "instance": each.instance,
            "done": list(each.done),
            "error": each.error.message if each.error else None,
        }
        for each in healed
    ]
