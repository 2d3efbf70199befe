"""What is kept of a deployment that failed here: a person asks for it after the host went back.

It lies in the directory of the release that failed, is bounded in size, and goes with the release.
Keeping it must never stand in the way of going back: a full disk means that there is none. What
is secret of it (`redact.py`) never reaches the disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from zsops.errors import HostError, ProtocolMismatch
from zsops.host import health, journal, logs, store
from zsops.host.codec import from_json, shortened, to_json
from zsops.host.effects import FileSize, ReadFile, Steps, WallTime, WriteFile, do
from zsops.host.layout import InstancePaths
from zsops.host.messages import Phase, Step
from zsops.host.upkeep import Evidence, Log, ProbeResult, ReadLog

_BODY_BYTES_MAX = 4096
_PROBLEM_BYTES_MAX = 1000
_TEXT_BYTES_MAX = 300
_HEADERS_MAX = 40
_LOG_LINES = 40
_RESULTS_MAX = 40
_RELEASES_MAX = 20
#: Of a text, times what is kept of it, that is searched for what to leave out: most of it is kept,
#: and a long line must not take long.
_LOOK = 4
#: Which step a deployment was about to take when it was stopped from outside.
_STOPPED_IN = {
    Phase.ARMED: Step.SWITCH,
    Phase.SWITCHED: Step.RELOAD,
    Phase.RELOADED: Step.HEALTH,
    Phase.HEALTHY: Step.CONFIRM,
}


def keep(
    paths: InstancePaths,
    release: str,
    step: Step,
    problem: str,
    verdict: health.Verdict | None = None,
) -> Steps[str | None]:
    """Save it unless there is some already (the first failure is the cause). Where it lies."""
    path = f"{paths.release(release)}/evidence.json"
    try:
        if (yield from do(FileSize(path))) is None:
            found = yield from _gather(paths, release, step, problem, verdict)
            data = json.dumps(to_json(found), indent=1).encode()
            yield from do(WriteFile(path, data))
    except (OSError, HostError):
        return None  # the event and the audit line carry the problem's text
    return path


def keep_of_stopped(
    paths: InstancePaths, phase: Phase, release: str | None, reason: str
) -> Steps[None]:
    """For a deployment that is taken back without having failed: nobody confirmed it, say."""
    if release is not None and phase in _STOPPED_IN:
        yield from keep(paths, release, _STOPPED_IN[phase], reason)


def read(instance: str) -> Steps[tuple[Evidence, ...]]:
    """What is kept of failed deployments, oldest first. Raises NotInstalled."""
    paths = InstancePaths(instance)
    yield from journal.read(paths)
    found: list[Evidence] = []
    for name in (yield from store.names(paths))[-_RELEASES_MAX:]:
        raw = yield from do(ReadFile(f"{paths.release(name)}/evidence.json"))
        try:
            if raw is not None:
                found.append(from_json(Evidence, json.loads(raw)))
        except (ValueError, ProtocolMismatch):
            continue  # torn by a power loss, or of another version
    return tuple(found)


def _gather(
    paths: InstancePaths,
    release: str,
    step: Step,
    problem: str,
    verdict: health.Verdict | None,
) -> Steps[Evidence]:
    from zsops.host import redact  # a failure can afford its patterns

    at = yield from do(WallTime())
    secret = ((yield from do(ReadFile(paths.probe_secret))) or b"").decode().strip()
    said = yield from logs.read(ReadLog(paths.name, Log.DAEMON, lines=_LOG_LINES))
    answer = None if verdict is None else verdict.answer
    results = () if verdict is None else verdict.results[-_RESULTS_MAX:]

    def clean(
        text: str,
        bytes_max: int = _TEXT_BYTES_MAX,
        by: Callable[[str], str] = redact.line,
    ) -> str:
        text = text.replace(secret, redact.HIDDEN) if secret else text
        return shortened(by(text[: bytes_max * _LOOK]), bytes_max)

    def header(name: str, value: str) -> tuple[str, str]:
        return clean(name), clean(value, by=lambda text: redact.header(name, text))

    def body(raw: bytes) -> str:
        text = raw[: _BODY_BYTES_MAX * _LOOK].decode("utf-8", "replace")
        return clean(text, _BODY_BYTES_MAX, redact.body)

    return Evidence(
        release=release,
        at=at,
        step=step.value,
        problem=clean(problem, _PROBLEM_BYTES_MAX),
        results=tuple(
            ProbeResult(clean(r.what), clean(r.expected), clean(r.got), r.ok) for r in results
        ),
        status=0 if answer is None else answer.status,
        headers=()
        if answer is None
        else tuple(header(*each) for each in answer.headers[:_HEADERS_MAX]),
        body="" if answer is None else body(answer.body),
        log=tuple(clean(line) for line in said.lines),
    )
