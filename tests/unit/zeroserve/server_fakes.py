"""A fake engine for tests within one process: records what it is asked, and can hold a reload."""

import json
import os
import threading
from pathlib import Path
from typing import Any, Self

from zeroserve.errors import ConfigRefused

LATENCY = {"bounds_seconds": [0.00005, 0.001], "counts": [4, 3, 2], "sum_seconds": 0.25}
STATS = {
    "connections_open": 1,
    "connections": 7,
    "requests": 9,
    "requests_http1": 7,
    "requests_http2": 2,
    "responses_2xx": 9,
    "threads": 2,
    "threads_running": 2,
    "latency": LATENCY,
}


def describe_site(spec: dict[str, Any]) -> dict[str, Any]:
    """What an engine says about a site; a file that begins with `bad` is refused."""
    content = os.pread(spec["site"]["fd"], 1 << 20, 0)
    if content.startswith(b"bad"):
        raise ConfigRefused("config-refused", f"`{spec['site']['path']}`: not a tar archive")
    digest = "sha256:" + content[:1].hex() * 32
    return {"members": 1, "bytes": len(content), "site_digest": digest, "warnings": ["a warning"]}


class FakeEngine:
    """Records calls. `gate` (an event) holds a reload inside the engine until it is set."""

    def __init__(self, settings: bytes) -> None:
        self.settings = json.loads(settings)
        self.summary = describe_site(self.settings["generation"])
        self.specs: list[dict[str, Any]] = [self.settings["generation"]]
        self.gate: threading.Event | None = None
        self.entered = threading.Semaphore(0)
        self.logs: list[str] = []
        self.ended = False
        self.stopped = False
        self.bug: Exception | None = None

    @classmethod
    def start(cls, settings: bytes) -> Self:
        return cls(settings)

    def reload(self, spec: bytes) -> dict[str, Any]:
        self.entered.release()
        if self.gate is not None:
            assert self.gate.wait(30)
        if self.bug is not None:
            raise self.bug
        value = json.loads(spec)
        summary = describe_site(value)
        self.specs.append(value)
        return summary

    def log(self, descriptor: int) -> None:
        self.logs.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def stats(self) -> dict[str, Any]:
        if self.bug is not None:
            raise self.bug
        return dict(STATS)

    def drain(self) -> None:
        self.ended = True

    def wait(self, timeout_ms: int) -> bool:
        assert timeout_ms == 0, "the main thread must never wait in the engine"
        return self.ended

    def stop(self) -> None:
        self.stopped = True
