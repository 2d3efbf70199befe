"""Events as a live table: one row an instance, one column a step; what is worth keeping scrolls."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from zsops.report.events import (
    Event,
    HostEvent,
    NoteEvent,
    ProgressEvent,
    Step,
    StepEvent,
    SummaryEvent,
)
from zsops.report.plain import ending_lines, note_line
from zsops.report.quantities import duration_text, size_text

#: Columns: what people wait for. Other steps show in the column of the step they lead to.
_COLUMNS: tuple[Step, ...] = ("stage", "switch", "reload", "health", "confirm")
_LEADS_TO: dict[Step, Step] = {
    "install": "stage",
    "lease": "stage",
    "start": "reload",
    "arm": "switch",
    "probe": "confirm",
    "drain": "confirm",
}
_NOTICED_MS = 500


@dataclass
class _Row:
    host: str
    instance: str
    cells: dict[str, Text | Spinner] = field(default_factory=dict)
    ending: Text = field(default_factory=Text)


class TerminalReport:
    """Draws on a terminal. Use as a context manager, so that the cursor always comes back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[tuple[str, str], _Row] = {}
        self._live = Live(console=console, refresh_per_second=12, get_renderable=self._table)

    def __enter__(self) -> TerminalReport:
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.refresh()
        self._live.__exit__(None, None, None)

    def handle(self, event: Event) -> None:
        """One event of the run."""
        if isinstance(event, StepEvent):
            self._step(event)
        elif isinstance(event, ProgressEvent):
            row = self._row(event.host, event.instance)
            row.cells["stage"] = Text(f"{size_text(event.sent)} of {size_text(event.total)}")
        elif isinstance(event, NoteEvent):
            style = "yellow" if event.level == "warning" else "dim"
            self._console.print(Text(note_line(event), style))
        elif isinstance(event, HostEvent):
            self._end(event)
        elif isinstance(event, SummaryEvent):
            for line in ending_lines(event):
                self._console.print(Text(line))

    def _step(self, event: StepEvent) -> None:
        row = self._row(event.host, event.instance)
        if event.step in ("revert", "done"):
            row.ending = Text("reverting" if event.step == "revert" and event.ok is None else "")
            return
        column = _LEADS_TO.get(event.step, event.step)
        leads = column != event.step
        if event.ok is False:
            row.cells[column] = Text(f"✖ {event.step}" if leads else "✖", "red")
        elif event.ok and not leads:
            # Only what took long enough to be noticed is worth its width.
            slow = event.ms is not None and event.ms >= _NOTICED_MS
            row.cells[column] = Text(f"✔ {duration_text(event.ms or 0)}" if slow else "✔", "green")
        else:
            row.cells[column] = Spinner("dots", Text(event.step if leads else "", "dim"))

    def _end(self, event: HostEvent) -> None:
        good = event.outcome in ("committed", "unchanged")
        row = self._row(event.host, event.instance)
        row.ending = Text(event.outcome.replace("_", " "), "bold green" if good else "bold red")
        for line in ending_lines(event):
            self._console.print(Text(line, "" if good else "red"))

    def _row(self, host: str, instance: str) -> _Row:
        return self._rows.setdefault((host, instance), _Row(host, instance))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("HOST", "INSTANCE", *(each.upper() for each in _COLUMNS), ""):
            table.add_column(name, header_style="bold", no_wrap=True)
        for row in self._rows.values():
            cells = [row.cells.get(each, Text("·", "dim")) for each in _COLUMNS]
            table.add_row(row.host, row.instance, *cells, row.ending)
        return table
