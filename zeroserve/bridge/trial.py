"""Trial: a site that is asked without a server, with types around the engine's JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zeroserve.bridge.dry_run import DryRun

PEER_DEFAULT = "192.0.2.1:50000"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """A request. `target` is path and query; `now_ms` is what scripts take for the time."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    peer: str = PEER_DEFAULT
    tls: bool = True
    http2: bool = False
    sni: str | None = None
    ja4: str | None = None
    now_ms: int | None = None

    def document(self) -> dict[str, Any]:
        """As the engine reads it."""
        return {
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
            "body": base64.b64encode(self.body).decode(),
            "peer": self.peer,
            "tls": self.tls,
            "http2": self.http2,
            "sni": self.sni,
            "ja4": self.ja4,
            "now_ms": self.now_ms,
        }


@dataclass(frozen=True, slots=True)
class HelperCall:
    """One call of a helper, with its arguments and its result as text."""

    helper: str
    arguments: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """What one script did, or one call target (`depth` over 0). `fuel` is about instructions."""

    script: str
    function: str
    depth: int
    calls: tuple[HelperCall, ...]
    fuel: int
    cpu_ns: int
    outcome: str


@dataclass(frozen=True, slots=True)
class TrialAnswer:
    """What a client would have got, and how it came about.

    `answered_by` is `script`, `site`, `failed`, `aborted` (no answer, as a script wished) or
    `endless`. `request` is the request as scripts left it, None when they did not change it.
    """

    answered_by: str
    status: int
    headers: Headers
    body: bytes
    runs: tuple[ScriptRun, ...]
    metadata: dict[str, str]
    request: tuple[str, str, Headers] | None
    log: tuple[str, ...]
    nanoseconds: int

    def values(self, name: str) -> tuple[str, ...]:
        """The values of all header lines of this name."""
        return tuple(value for each, value in self.headers if each.lower() == name.lower())


class Trial:
    """A site that is open. State of scripts is kept from one request to the next."""

    def __init__(self, run: DryRun) -> None:
        """Hold the engine's handle; `open_trial` calls this."""
        self._run = run

    def ask(self, request: TrialRequest) -> TrialAnswer:
        """Answer one request. Raises `ConfigRefused` for what is no request."""
        told = self._run.answer(json.dumps(request.document()).encode())
        return _answer(told)


@contextmanager
def open_trial(site_fd: int, shown: str) -> Iterator[Trial]:
    """Open the site whose tarball is `site_fd`; `shown` names it in errors.

    Raises `ConfigRefused` for what a server would refuse, `engine-missing` without the engine.
    """
    # The engine duplicates the descriptor.
    spec = {"generation": {"id": 1, "site": {"fd": site_fd, "path": shown}}}
    with DryRun(json.dumps(spec).encode()) as run:
        yield Trial(run)


def _answer(told: dict[str, Any]) -> TrialAnswer:
    runs = tuple(
        ScriptRun(
            script=run["script"],
            function=run["function"],
            depth=run["depth"],
            calls=tuple(
                HelperCall(call["helper"], tuple(call["arguments"]), call["result"])
                for call in run["calls"]
            ),
            fuel=run["fuel"],
            cpu_ns=run["cpu_ns"],
            outcome=run["outcome"],
        )
        for run in told["runs"]
    )
    request = told["request"]
    left = (request["method"], request["target"], _headers(request["headers"]))
    return TrialAnswer(
        answered_by=told["answered_by"],
        status=told["status"],
        headers=_headers(told["headers"]),
        body=base64.b64decode(told["body"]),
        runs=runs,
        metadata=dict(told["metadata"]),
        request=left if request["changed"] else None,
        log=tuple(told["log"]),
        nanoseconds=told["nanoseconds"],
    )


def _headers(pairs: list[list[str]]) -> Headers:
    return tuple((name, value) for name, value in pairs)
