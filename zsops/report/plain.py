"""Events as plain lines: for pipes, logs and CI. One line for each thing that ended."""

from __future__ import annotations

from collections.abc import Callable

from zsops.report.events import Event, HostEvent, NoteEvent, StepEvent, SummaryEvent
from zsops.report.quantities import duration_text, short_digest, size_text


class PlainReport:
    """Writes lines with `say`. `verbose` also tells when a step begins."""

    def __init__(self, say: Callable[[str], None], *, verbose: bool = False) -> None:
        self._say = say
        self._verbose = verbose

    def __enter__(self) -> PlainReport:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def handle(self, event: Event) -> None:
        """One event of the run."""
        if isinstance(event, StepEvent):
            line = step_line(event)
            if event.ok is not None or self._verbose:
                self._say(line)
        elif isinstance(event, NoteEvent):
            self._say(note_line(event))
        elif isinstance(event, HostEvent | SummaryEvent):
            for line in ending_lines(event):
                self._say(line)


def step_line(event: StepEvent) -> str:
    """`web on local: switch ok (3 ms)`."""
    name = f"{event.instance} on {event.host}: {event.step}"
    if event.ok is None:
        return f"{name} …"
    took = f" ({duration_text(event.ms)})" if event.ms is not None else ""
    if event.ok:
        return f"{name} ok{took}{': ' + event.detail if event.detail else ''}"
    said = event.error.message if event.error else event.detail
    return f"{name} failed{took}{': ' + said if said else ''}"


def note_line(event: NoteEvent) -> str:
    """A note, with its host and `warning:` where it is one."""
    warning = "warning: " if event.level == "warning" else ""
    return f"{event.host + ': ' if event.host else ''}{warning}{event.text}"


def ending_lines(event: HostEvent | SummaryEvent) -> list[str]:
    """How an instance, or the run, ended."""
    if isinstance(event, SummaryEvent):
        moved = event.committed or event.reverted or event.failed
        sent = f", {size_text(event.sent)} sent" if event.committed else ""
        return [f"took {duration_text(event.ms)}{sent}"] if moved else []
    name = f"{event.instance} on {event.host}" if event.instance else event.host
    serving = f"; serving {short_digest(event.serving)}" if event.serving else ""
    said = {
        "committed": f"{name}: {event.release} is in service",
        "unchanged": f"{name}: nothing to do, {event.release} is in service",
        "reverted": f"{name}: reverted, the old version is healthy{serving}",
        "self_reverted": f"{name}: the host went back by itself{serving}",
        "failed": f"{name}: failed, nothing was switched{serving}",
        "busy": f"{name}: somebody else holds the host, nothing was changed",
        "unreachable": f"{name}: not reached, nothing was changed",
        "unsafe": f"{name}: unsafe, a person is needed{serving}",
        "unknown": f"{name}: not known how it ended; have a look at it",
        "interrupted": f"{name}: interrupted, the old version is in service{serving}",
        "not_started": f"{name}: not started",
    }[event.outcome]
    lines = [said]
    if event.error is not None:
        lines.append(f"error[{event.error.code}]: {event.error.message}")
        if event.error.hint:
            lines.append(f"hint: {event.error.hint}")
    blameless = event.error is not None and event.error.code == "wave-reverted"
    if event.outcome in _LEAVES_EVIDENCE and not blameless:
        lines.append(f"what it answered: `zsops history {event.host} --evidence`")
    return lines


#: Endings after which the host keeps something to look at.
_LEAVES_EVIDENCE = frozenset({"reverted", "self_reverted", "unsafe"})
