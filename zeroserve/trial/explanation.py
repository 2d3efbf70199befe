"""Explanation: what scripts did to a request, as lines for a terminal or as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator

from zeroserve.bridge.trial import Headers, ScriptRun, TrialAnswer, TrialRequest

BODY_SHOWN_MAX = 2000
HEADER_PREFIX = "zs.response.header."
_VERDICTS = {
    "script": "a script",
    "site": "the site's files",
    "failed": "a failed script",
    "aborted": "nobody: a script closed the connection",
    "endless": "nobody: a script did not end within 5 s",
}


def explain_lines(request: TrialRequest, answer: TrialAnswer) -> list[str]:
    """The explanation, line by line."""
    scheme = "https" if request.tls else "http"
    version = "HTTP/2" if request.http2 else "HTTP/1.1"
    lines = [f"{request.method} {request.target}  ({scheme}, {version}, from {request.peer})", ""]
    if not answer.runs:
        lines += ["no script ran", ""]
    for run in answer.runs:
        lines += [*_run_lines(run), ""]
    lines += _section("metadata", list(_metadata_lines(answer)))
    if answer.request is not None:
        method, target, headers = answer.request
        lines += _section("request, as scripts left it", [f"{method} {target}", *_fields(headers)])
    lines += _section("log", answer.log)
    whose = _VERDICTS.get(answer.answered_by, answer.answered_by)
    fuel = sum(run.fuel for run in answer.runs)
    micros = answer.nanoseconds / 1000
    lines.append(
        f"{answer.status or 'no answer'}  by {whose}, {fuel} fuel, {micros:.0f} µs with notes"
    )
    lines += [f"  {line}" for line in _fields(answer.headers)]
    if answer.body:
        lines += ["", *_body_lines(answer.body)]
    return lines


def explain_document(request: TrialRequest, answer: TrialAnswer) -> dict[str, object]:
    """The explanation as data; `body` is text, with `\\xNN` for bytes that are none."""
    left = None
    if answer.request is not None:
        method, target, headers = answer.request
        left = {"method": method, "target": target, "headers": headers}
    return {
        "v": 1,
        "request": request.document(),
        "runs": [
            {
                "script": run.script,
                "function": run.function,
                "depth": run.depth,
                "outcome": run.outcome,
                "fuel": run.fuel,
                "cpu_ns": run.cpu_ns,
                "calls": [
                    {"helper": call.helper, "arguments": call.arguments, "result": call.result}
                    for call in run.calls
                ],
            }
            for run in answer.runs
        ],
        "metadata": answer.metadata,
        "request_left": left,
        "log": answer.log,
        "answered_by": answer.answered_by,
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body.decode(errors="backslashreplace"),
        "nanoseconds": answer.nanoseconds,
    }


def _run_lines(run: ScriptRun) -> Iterator[str]:
    indent = "  " * run.depth
    cost = f"{run.fuel} fuel  {run.cpu_ns / 1000:.1f} µs CPU"
    yield f"{indent}{run.script}  {run.function}  {run.outcome or 'did not end'}  {cost}"
    for call in run.calls:
        yield f"{indent}  {call.helper}({', '.join(call.arguments)}) = {call.result}"


def _metadata_lines(answer: TrialAnswer) -> Iterator[str]:
    """A header that could not be sent is left out of the answer without a word: here it is told."""
    for key, value in answer.metadata.items():
        shown = value.encode("unicode_escape").decode() if not value.isprintable() else value
        name = key.removeprefix(HEADER_PREFIX)
        lost = name != key and answer.status and not answer.values(name)
        yield f"{key} = {shown}" + ("   (not sent: no valid header)" if lost else "")


def _section(title: str, lines: list[str] | tuple[str, ...]) -> list[str]:
    return [title, *(f"  {line}" for line in lines), ""] if lines else []


def _fields(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]


def _body_lines(body: bytes) -> list[str]:
    text = body[:BODY_SHOWN_MAX].decode(errors="backslashreplace")
    lines = [f"  {line}" for line in text.splitlines()]
    if len(body) > BODY_SHOWN_MAX:
        lines.append(f"  … {len(body) - BODY_SHOWN_MAX} bytes more")
    return lines
