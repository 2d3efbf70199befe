"""Events of a run. One JSON object a line with `--jsonl`; the form is versioned by `v`.

`zsops schema events` prints the JSON Schema of these models. A field is only ever added: a
changed meaning is a new `v`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: Steps of one host in their order (the numbers of the protocol's table).
Step = Literal[
    "install",
    "lease",
    "stage",
    "start",
    "arm",
    "switch",
    "reload",
    "health",
    "probe",
    "confirm",
    "drain",
    "revert",
    "done",
]

#: What became of one host. `unchanged` had nothing to do; `not_started` was never touched.
Outcome = Literal[
    "committed",
    "unchanged",
    "reverted",
    "self_reverted",
    "failed",
    "busy",
    "unreachable",
    "unsafe",
    "unknown",
    "interrupted",
    "not_started",
]


NoteLevel = Literal["info", "warning"]


class ErrorInfo(BaseModel):
    """An error as a program reads it."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    hint: str | None = None


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    t: str = Field(description="RFC 3339, UTC, milliseconds")
    run: str = Field(description="ULID of the run")


class StepEvent(_Event):
    """A step of one host began (`ok` null) or ended (`ok` true or false)."""

    event: Literal["step"] = "step"
    host: str
    instance: str
    step: Step
    ok: bool | None = None
    ms: int | None = Field(default=None, description="duration of the step, when it has ended")
    detail: str = ""
    error: ErrorInfo | None = None


class ProgressEvent(_Event):
    """Bytes of an upload."""

    event: Literal["progress"] = "progress"
    host: str
    instance: str
    sent: int = Field(description="bytes")
    total: int = Field(description="bytes")


class NoteEvent(_Event):
    """Something worth a line that is no step: a build, a warning, a daemon that was started."""

    event: Literal["note"] = "note"
    level: NoteLevel = "info"
    text: str
    host: str | None = None


class PlanEvent(_Event):
    """What is about to be done. `plan` has the form of `zsops plan --json`."""

    event: Literal["plan"] = "plan"
    plan: dict[str, Any]


class HostEvent(_Event):
    """How one instance of one host ended: what the host itself says about its state."""

    event: Literal["host"] = "host"
    host: str
    instance: str
    outcome: Outcome
    release: str | None = None
    serving: str | None = Field(default=None, description="site digest in service afterwards")
    url: str | None = None
    sent: int = Field(default=0, description="bytes uploaded")
    error: ErrorInfo | None = None


class DriftEvent(_Event):
    """`zsops drift --watch`: an instance is not as it was at the look before."""

    event: Literal["drift"] = "drift"
    host: str
    instance: str
    state: str
    drift: str | None = Field(default=None, description="null: it is as its host's record says")


class SummaryEvent(_Event):
    """The last line."""

    event: Literal["summary"] = "summary"
    exit: int
    committed: int = 0
    unchanged: int = 0
    reverted: int = 0
    failed: int = 0
    unreachable: int = 0
    unsafe: int = 0
    not_started: int = 0
    ms: int = 0
    sent: int = Field(default=0, description="bytes uploaded, all hosts")
    error: ErrorInfo | None = None


Event = Annotated[
    StepEvent | ProgressEvent | NoteEvent | PlanEvent | HostEvent | DriftEvent | SummaryEvent,
    Field(discriminator="event"),
]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def event_line(event: Event) -> str:
    """The event as one line of JSON, without its absent fields."""
    return event.model_dump_json(exclude_none=True)


def parse_event(line: str | bytes) -> Event:
    """The event of one line. Raises pydantic's ValidationError."""
    return _ADAPTER.validate_json(line)


def events_schema() -> dict[str, Any]:
    """JSON Schema of one line."""
    return _ADAPTER.json_schema()
