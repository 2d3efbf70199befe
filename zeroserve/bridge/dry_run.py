"""Dry run: requests answered without a server, with notes of what scripts did.

The engine's `src/dry_run.rs` says what goes in and comes out. One thread opens, asks and closes.
"""

from typing import TYPE_CHECKING, Any, Self

from zeroserve.bridge.handles import call_engine, json_of
from zeroserve.bridge.library import load_engine

if TYPE_CHECKING:
    from types import TracebackType


class DryRun:
    """A site to try requests on. Rate limits and state are kept from one request to the next."""

    def __init__(self, spec: bytes) -> None:
        """Open a site. Raises `ConfigRefused` for what a server would refuse."""
        self._module = load_engine()
        handle = self._module.ffi.new("struct ZsDryRun **")
        lib = self._module.lib
        call_engine(self._module, lambda error: lib.zs_dry_run_open(spec, len(spec), handle, error))
        self._handle = handle[0]

    def answer(self, request: bytes) -> dict[str, Any]:
        """Answer one request. Raises `ConfigRefused` for what is no request."""
        lib = self._module.lib
        return json_of(
            self._module,
            lambda out, error: lib.zs_dry_run_answer(
                self._handle, request, len(request), out, error
            ),
        )

    def measure(self, request: bytes, runs: int) -> float:
        """Answer one request many times; the nanoseconds of processor time that one took."""
        lib = self._module.lib
        told = json_of(
            self._module,
            lambda out, error: lib.zs_dry_run_measure(
                self._handle, request, len(request), runs, out, error
            ),
        )
        return float(told["nanoseconds"])

    def close(self) -> None:
        """Free the handle. May be called twice."""
        handle, self._handle = self._handle, self._module.ffi.NULL
        self._module.lib.zs_dry_run_close(handle)

    def __enter__(self) -> Self:
        """Be closed at the end of a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Close."""
        self.close()
