"""Handles: the engine's C functions as Python methods. JSON in and out, errors as exceptions.

Every call releases the GIL and may be made from any thread. Texts the engine returns are copied
and freed here; an `Engine` is freed by `stop`, after which it must not be used.
"""

import json

from zeroserve.bridge.errors import STATUS_OK, error_of
from zeroserve.bridge.library import load_engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Json = dict[str, Any]
    CData = Any  # what cffi hands out has no static type


def probe() -> "Json":
    """What this machine offers the engine: `supported`, `kernel`, `ring`, `problems`."""
    engine = load_engine()
    return json_of(engine, engine.lib.zs_probe)


def check_generation(spec: bytes) -> "Json":
    """Build a generation, validate it and drop it again. Raises `ConfigRefused`."""
    engine = load_engine()
    return json_of(
        engine,
        lambda out, error: engine.lib.zs_generation_check(spec, len(spec), out, error),
    )


def release_digest(descriptor: int, path: str) -> str:
    """SHA-256 of all bytes of a tarball, as `sha256:…`; says on stderr how far it is when that
    takes long. Raises `ConfigRefused`, which calls the file `path`.
    """
    engine = load_engine()
    site = json.dumps({"fd": descriptor, "path": path}).encode()
    answer = json_of(
        engine, lambda out, error: engine.lib.zs_release_digest(site, len(site), out, error)
    )
    digest: str = answer["release_digest"]
    return digest


class Engine:
    """A running engine. `start` makes one; `summary` is what it said about its first generation."""

    def __init__(self, module: "ModuleType", handle: "CData", summary: "Json") -> None:
        """Hold the native handle; `start` calls this."""
        self._module = module
        self._handle = handle
        self.summary = summary

    @classmethod
    def start(cls, settings: bytes) -> "Engine":
        """Start the event loops. Raises `ConfigRefused`, `Unsupported`, `EngineBug`."""
        module = load_engine()
        handle = module.ffi.new("struct ZsEngine **")
        summary = json_of(
            module,
            lambda out, error: module.lib.zs_engine_start(
                settings, len(settings), handle, out, error
            ),
        )
        return cls(module, handle[0], summary)

    def reload(self, spec: bytes) -> "Json":
        """Build a generation and swap it in; returns after every loop has swapped."""
        lib = self._module.lib
        return json_of(
            self._module,
            lambda out, error: lib.zs_engine_reload(self._handle, spec, len(spec), out, error),
        )

    def log(self, descriptor: int) -> None:
        """Write the access log to this descriptor from now on; the engine duplicates it."""
        lib = self._module.lib
        call_engine(self._module, lambda error: lib.zs_engine_log(self._handle, descriptor, error))

    def stats(self) -> "Json":
        """The engine's counters."""
        lib = self._module.lib
        return json_of(
            self._module, lambda out, error: lib.zs_engine_stats(self._handle, out, error)
        )

    def drain(self) -> None:
        """Accept nothing more, finish what is running, close what is idle. Returns at once."""
        lib = self._module.lib
        call_engine(self._module, lambda error: lib.zs_engine_drain(self._handle, error))

    def wait(self, timeout_ms: int) -> bool:
        """Whether every loop has ended, after waiting for at most `timeout_ms`."""
        lib = self._module.lib
        finished = self._module.ffi.new("int32_t *")
        call_engine(
            self._module,
            lambda error: lib.zs_engine_wait(self._handle, timeout_ms, finished, error),
        )
        return bool(finished[0])

    def stop(self) -> None:
        """End at once and free the handle."""
        lib = self._module.lib
        handle, self._handle = self._handle, self._module.ffi.NULL
        call_engine(self._module, lambda error: lib.zs_engine_stop(handle, error))


def call_engine(engine: "ModuleType", function: "Callable[[Any], int]") -> None:
    """Call a function of the door; raises what its status and text say."""
    error = engine.ffi.new("char **")
    status = function(error)
    text = _take_text(engine, error[0])
    if status != STATUS_OK:
        raise error_of(status, text)


def json_of(engine: "ModuleType", function: "Callable[[Any, Any], int]") -> "Json":
    """The same, for a function that hands out JSON."""
    out = engine.ffi.new("char **")
    call_engine(engine, lambda error: function(out, error))
    value: Json = json.loads(_take_text(engine, out[0]) or "{}")
    return value


def _take_text(engine: "ModuleType", text: "CData") -> str:
    if text == engine.ffi.NULL:
        return ""
    try:
        raw: bytes = engine.ffi.string(text)
        return raw.decode("utf-8", "replace")
    finally:
        engine.lib.zs_text_free(text)
