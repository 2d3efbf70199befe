"""What a step of the protocol says of itself: that it began, how it ended and after how long."""

from __future__ import annotations

from zsops.host.effects import Now, Steps, Tell, do
from zsops.host.messages import Fault, Progress, Step, StepEvent


def started(step: Step) -> Steps[float]:
    """Say that it begins; when that was, for `done` and `failed`."""
    yield from do(Tell(StepEvent(step, Progress.STARTED)))
    return (yield from do(Now()))


def done(step: Step, began: float, detail: str) -> Steps[None]:
    """Say that it has ended well."""
    spent = yield from _ms_since(began)
    yield from do(Tell(StepEvent(step, Progress.DONE, detail, ms=spent)))


def failed(
    step: Step, began: float, code: str, problem: str, evidence: str | None = None
) -> Steps[None]:
    """Say why it has not."""
    spent = yield from _ms_since(began)
    fault = Fault(code, problem)
    event = StepEvent(step, Progress.FAILED, problem, ms=spent, error=fault, evidence=evidence)
    yield from do(Tell(event))


def _ms_since(began: float) -> Steps[int]:
    return int(((yield from do(Now())) - began) * 1000)
