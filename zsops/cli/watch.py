"""Follows a run: shows its events, turns signals into an orderly abort, gives its exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from zsops.cli.invocation import Invocation, document, print_document
from zsops.cli.release_names import remember_more
from zsops.errors import ExitCode
from zsops.notify.around import Around
from zsops.plan.model import Plan
from zsops.report.events import Event, HostEvent, NoteEvent, PlanEvent, StepEvent, SummaryEvent
from zsops.report.plain import PlainReport, ending_lines
from zsops.report.run_id import timestamp
from zsops.report.terminal import TerminalReport


def watch(command: str, run: Around, invocation: Invocation, plan: Plan | None = None) -> ExitCode:
    """Run it to its end and show it. stdout: URLs, one document, or one event a line."""
    with _signals_abort(run, invocation):
        if invocation.form == "jsonl":
            if plan is not None:
                content = plan.model_dump(mode="json")
                invocation.emit(PlanEvent(t=timestamp(), run=run.info.id, plan=content))
            for event in run:
                invocation.emit(event)
        elif invocation.form == "json":
            _document(command, run, plan)
        else:
            _people(run, invocation)
    made = [each.release for each in run.results if each.release is not None]
    remember_more(run.setting.project.directory, run.setting.env, made)
    return run.exit_code


def _document(command: str, run: Around, plan: Plan | None) -> None:
    hosts: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    notes: list[str] = []
    summary: dict[str, Any] = {}
    for event in run:
        if isinstance(event, StepEvent) and event.ok is not None:
            steps.append(event.model_dump(mode="json", exclude={"v", "run", "event"}))
        elif isinstance(event, HostEvent):
            hosts.append(event.model_dump(mode="json", exclude={"v", "t", "run", "event"}))
        elif isinstance(event, NoteEvent):
            notes.append(event.text)
        elif isinstance(event, SummaryEvent):
            summary = event.model_dump(mode="json", exclude={"v", "t", "event"})
    error = summary.pop("error", None)
    result = {
        "plan": plan.model_dump(mode="json") if plan else None,
        "hosts": hosts,
        "steps": steps,
        "notes": notes,
        "summary": summary,
    }
    found = document(command, result, run.exit_code)
    print_document(found | {"error": error})


def _people(run: Around, invocation: Invocation) -> None:
    console = invocation.console()
    live = console.is_terminal and not invocation.quiet and not invocation.verbose
    report = (
        TerminalReport(console) if live else PlainReport(invocation.say, verbose=invocation.verbose)
    )
    urls: list[str] = []
    with report:
        for event in run:
            report.handle(event)
            if isinstance(event, HostEvent) and event.url:
                urls.append(event.url)
            if invocation.quiet:
                _only_failures(event)
    for url in urls:
        sys.stdout.write(url + "\n")
    sys.stdout.flush()


def _only_failures(event: Event) -> None:
    if isinstance(event, HostEvent) and event.outcome not in ("committed", "unchanged"):
        sys.stderr.write("\n".join(ending_lines(event)) + "\n")


@contextmanager
def _signals_abort(run: Around, invocation: Invocation) -> Iterator[None]:
    """The first ^C (or SIGTERM, or the end of `--timeout`) aborts in order; a second ^C leaves at
    once, and the host's own deadline brings the old release back."""

    def abort(number: int, frame: FrameType | None) -> None:
        run.abort()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if not invocation.quiet and invocation.form == "text":
            sys.stderr.write(
                "\nstopping: what is unconfirmed goes back (^C again leaves at once)\n"
            )

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.signal(number, abort) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
