"""Tells the events of one instance: its steps with their times, notes, upload progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zsops.apply.outcome import error_info
from zsops.errors import ZsopsError
from zsops.host import messages as m
from zsops.report.events import (
    ErrorInfo,
    Event,
    NoteEvent,
    NoteLevel,
    ProgressEvent,
    Step,
    StepEvent,
)
from zsops.report.run_id import timestamp


class StepNote:
    """What a step of ours wants to say when it has ended well."""

    detail = ""


class Teller:
    """Stamps events with run, host and instance and hands them to `emit`."""

    def __init__(
        self, emit: Callable[[Event], None], *, run: str, host: str, instance: str
    ) -> None:
        self._emit = emit
        self._run = run
        self._host = host
        self._instance = instance

    @contextmanager
    def step(self, step: Step) -> Iterator[StepNote]:
        """A step of ours: it began now; it ends well or with the error that passes through."""
        began = time.monotonic()
        note = StepNote()
        self._step(step)
        try:
            yield note
        except ZsopsError as error:
            self._step(step, ok=False, ms=_since(began), error=error_info(error))
            raise
        self._step(step, ok=True, ms=_since(began), detail=note.detail)

    def host_step(self, event: m.StepEvent) -> None:
        """A step the host told of."""
        if event.progress is m.Progress.NOTE:
            self.note(f"{event.step.value}: {event.detail}")
            return
        fault = event.error
        ended = event.progress is not m.Progress.STARTED
        self._step(
            event.step.value,
            ok=event.progress is m.Progress.DONE if ended else None,
            ms=event.ms if ended else None,
            detail=event.detail,
            error=ErrorInfo(code=fault.code, message=fault.message, hint=fault.hint)
            if fault
            else None,
        )

    def note(self, text: str, level: NoteLevel = "info") -> None:
        """A line that is no step."""
        stamp = timestamp()
        self._emit(NoteEvent(t=stamp, run=self._run, host=self._host, text=text, level=level))

    def progress(self, sent: int, total: int) -> None:
        """Bytes of an upload."""
        self._emit(
            ProgressEvent(
                t=timestamp(),
                run=self._run,
                host=self._host,
                instance=self._instance,
                sent=sent,
                total=total,
            )
        )

    def _step(
        self,
        step: Step,
        *,
        ok: bool | None = None,
        ms: int | None = None,
        detail: str = "",
        error: ErrorInfo | None = None,
    ) -> None:
        self._emit(
            StepEvent(
                t=timestamp(),
                run=self._run,
                host=self._host,
                instance=self._instance,
                step=step,
                ok=ok,
                ms=ms,
                detail=detail,
                error=error,
            )
        )


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
