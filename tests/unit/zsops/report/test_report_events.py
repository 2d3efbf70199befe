"""Events: their schema is frozen in a file, lines read back, people get whole sentences."""

from __future__ import annotations

import json
import typing
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.memory_fleet import MemoryFleet

from zsops.apply.outcome import EXIT_OF_OUTCOME
from zsops.report.events import (
    ErrorInfo,
    HostEvent,
    Outcome,
    StepEvent,
    event_line,
    events_schema,
    parse_event,
)
from zsops.report.plain import PlainReport, ending_lines, step_line
from zsops.report.quantities import age_text, duration_text, size_text
from zsops.report.run_id import new_run_id, timestamp
from zsops.report.terminal import TerminalReport

SCHEMA = Path(__file__).resolve().parents[3] / "cases" / "events.schema.json"


def test_schema_is_the_one_programs_rely_on() -> None:
    """A field may be added (then write the file anew); one that changes is a new `v`."""
    assert json.dumps(events_schema(), indent=1) + "\n" == SCHEMA.read_text()


def test_every_line_of_a_run_reads_back(tmp_path: Path) -> None:
    run = MemoryFleet.make(tmp_path).deploy()
    lines = [event_line(each) for each in run.events]
    assert tuple(parse_event(each) for each in lines) == run.events
    assert all(json.loads(each)["v"] == 1 for each in lines)
    assert len({json.loads(each)["run"] for each in lines}) == 1


@pytest.mark.parametrize("outcome", typing.get_args(Outcome))
def test_every_outcome_has_words_and_an_exit_code(outcome: Outcome) -> None:
    event = HostEvent(t=timestamp(), run="R", host="local", instance="web", outcome=outcome)
    assert ending_lines(event)[0].startswith("web on local: ")
    assert outcome in EXIT_OF_OUTCOME


def test_failed_step_says_why() -> None:
    event = StepEvent(
        t=timestamp(),
        run="R",
        host="local",
        instance="web",
        step="health",
        ok=False,
        ms=812,
        error=ErrorInfo(code="unhealthy", message="`/`: 502"),
    )
    assert step_line(event) == "web on local: health failed (812 ms): `/`: 502"


def test_plain_report_has_one_line_for_each_step_that_ended(tmp_path: Path) -> None:
    lines: list[str] = []
    with PlainReport(lines.append) as report:
        for event in MemoryFleet.make(tmp_path).deploy().events:
            report.handle(event)
    assert not [each for each in lines if each.endswith("…")]
    assert any("000001" in each and "is in service" in each for each in lines)


def test_table_on_a_terminal_shows_every_column(tmp_path: Path) -> None:
    output = StringIO()
    console = Console(file=output, force_terminal=True, width=150, legacy_windows=False)
    with TerminalReport(console) as report:
        for event in MemoryFleet.make(tmp_path).deploy().events:
            report.handle(event)
    text = output.getvalue()
    for column in ("HOST", "STAGE", "SWITCH", "HEALTH", "CONFIRM", "✔", "committed"):
        assert column in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")  # the cursor is shown again


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (38_100_000, "38.1 MB")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(12, "12 ms"), (1900, "1.9 s"), (185_000, "3 min 5 s")]
)
def test_spans_of_time(milliseconds: int, text: str) -> None:
    assert duration_text(milliseconds) == text


def test_ages() -> None:
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert age_text("2026-11-24T10:00:00.000Z", now) == "2 h"
    assert age_text("2026-11-15T10:00:00Z", now) == "9 d"
    assert age_text("2026-11-24T12:00:05Z", now) == "0 s"
    assert age_text("never", now) == "never"


def test_run_ids_are_ulids_and_sort_by_time() -> None:
    first = new_run_id()
    assert len(first) == 26
    assert first[:8] <= new_run_id()[:8]
