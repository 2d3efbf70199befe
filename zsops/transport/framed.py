"""A session over two byte streams that lead to `zsops-host serve`: pipes, or an SSH channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from zsops.errors import DigestMismatch, HostError, LinkLost, ProtocolMismatch, host_error
from zsops.host import calls, upkeep
from zsops.host import messages as m
from zsops.host.codec import from_json, to_json
from zsops.host.frames import CHUNK_BYTES, FrameReader, Sink, Source
from zsops.transport.base import UploadProgress

Q = TypeVar("Q")
A = TypeVar("A")


class FramedSession:
    """`HostSession` by frames. `on_close` ends whatever carries the streams."""

    def __init__(self, source: Source, sink: Sink, on_close: Callable[[], None]) -> None:
        """Does the handshake; `ProtocolMismatch` or `HostUnreachable` when it fails."""
        self._reader = FrameReader(source)
        self._writer = sink
        self._on_close: Callable[[], None] | None = on_close
        self._greeting = self._greet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._on_close is not None:
            end, self._on_close = self._on_close, None
            end()

    def hello(self) -> m.Hello:
        return self._greeting

    def install(self, request: m.Install) -> m.Installed:
        return self._ask(calls.INSTALL, request)

    def observe(self, instance: str) -> m.Observation:
        return self._ask(calls.OBSERVE, calls.OfInstance(instance))

    def members(self, instance: str, release: str) -> tuple[m.HostedMember, ...]:
        return self._ask(calls.MEMBERS, calls.OfRelease(instance, release)).members

    def take_lease(self, request: m.TakeLease) -> m.Lease:
        return self._ask(calls.TAKE_LEASE, request)

    def release_lease(self, token: int) -> None:
        self._ask(calls.RELEASE_LEASE, calls.OfToken(token))

    def break_lease(self, who: str, why: str) -> m.Lease | None:
        return self._ask(calls.BREAK_LEASE, calls.BreakLease(who, why)).lease

    def stage(
        self, request: m.Stage, tar: BinaryIO, progress: UploadProgress | None = None
    ) -> m.Staged:
        try:
            return self._stage(request, tar, progress)
        except DigestMismatch as mismatch:
            # A part left from a power loss may have lost bytes, a kept release may be damaged; the
            # host deleted the part. Once more, all of it: wrong bytes fail again.
            if not any(each in mismatch.message for each in ("resumed at", "put together")):
                raise
            return self._stage(replace(request, extents=""), tar, progress)

    def _stage(self, request: m.Stage, tar: BinaryIO, progress: UploadProgress | None) -> m.Staged:
        return self._upload(calls.STAGE, request, request.size, tar, progress)

    def _upload(
        self,
        call: calls.Call[Q, A],
        request: Q,
        total: int,
        tar: BinaryIO,
        progress: UploadProgress | None,
    ) -> A:
        self._send(call, request)
        frame = self._frame_past_events()
        if "offset" not in frame:
            return self._answer(call, frame)
        missing = from_json(m.StageOffset, frame["offset"]).missing
        here = total - sum(size for _, size in missing)
        for offset, size in missing:
            tar.seek(offset)
            left = size
            while left:
                if progress is not None:
                    progress(here, total)
                chunk = tar.read(min(CHUNK_BYTES, left))
                if not chunk:
                    raise ProtocolMismatch(f"the host wants {left} bytes past the file's end")
                self._writer.send(chunk)
                left -= len(chunk)
                here += len(chunk)
        if progress is not None:
            progress(here, total)
        self._writer.send(b"")
        return self._answer(call, self._frame())

    def apply(self, request: m.Apply) -> Iterator[m.StepEvent]:
        return self._events(calls.APPLY, request)

    def confirm(self, request: m.Confirm) -> m.Confirmed:
        return self._ask(calls.CONFIRM, request)

    def revert(self, request: m.Revert) -> Iterator[m.StepEvent]:
        return self._events(calls.REVERT, request)

    def prepare_rollback(self, request: m.PrepareRollback) -> m.RollbackStaged:
        return self._ask(calls.PREPARE_ROLLBACK, request)

    def prepare_rotation(self, request: m.PrepareRotation) -> m.Staged:
        return self._ask(calls.PREPARE_ROTATION, request)

    def recipients(self) -> tuple[str, ...]:
        return self._ask(calls.RECIPIENTS, calls.Nothing()).recipients

    def history(self, instance: str, limit: int) -> tuple[m.AuditEntry, ...]:
        return self._ask(calls.HISTORY, calls.History(instance, limit)).entries

    def audit_verify(self) -> m.AuditReport:
        return self._ask(calls.AUDIT_VERIFY, calls.Nothing())

    def prune(self, request: m.Prune) -> m.Pruned:
        return self._ask(calls.PRUNE, request)

    def pin(self, request: m.Pin) -> None:
        self._ask(calls.PIN, request)

    def daemon_status(self, instance: str) -> m.DaemonState:
        return self._ask(calls.DAEMON_STATUS, calls.OfInstance(instance))

    def start_daemon(self, instance: str) -> m.DaemonState:
        return self._ask(calls.START_DAEMON, calls.OfInstance(instance))

    def stop_daemon(self, instance: str) -> bool:
        return self._ask(calls.STOP_DAEMON, calls.OfInstance(instance)).stopped

    def reload_daemon(self, instance: str) -> m.DaemonState:
        return self._ask(calls.RELOAD_DAEMON, calls.OfInstance(instance))

    def stage_program(
        self, request: m.StageProgram, wheel: BinaryIO, progress: UploadProgress | None = None
    ) -> m.ProgramStaged:
        return self._upload(calls.STAGE_PROGRAM, request, request.size, wheel, progress)

    def upgrade(self, request: m.Upgrade) -> Iterator[m.StepEvent]:
        return self._events(calls.UPGRADE, request)

    def facts(self) -> upkeep.HostFacts:
        return self._ask(calls.FACTS, calls.Nothing())

    def read_log(self, request: upkeep.ReadLog) -> upkeep.LogLines:
        return self._ask(calls.READ_LOG, request)

    def evidence(self, instance: str) -> tuple[upkeep.Evidence, ...]:
        return self._ask(calls.EVIDENCE, calls.OfInstance(instance)).evidence

    def hold(self, request: upkeep.Hold) -> upkeep.Held:
        return self._ask(calls.HOLD, request)

    def lift_hold(self, who: str, why: str) -> upkeep.Held | None:
        return self._ask(calls.LIFT_HOLD, calls.LiftHold(who, why)).held

    def heal(self, request: upkeep.Heal) -> upkeep.Healed:
        return self._ask(calls.HEAL, request)

    # -- frames ----------------------------------------------------------------------

    def _greet(self) -> m.Hello:
        greeting = calls.Greeting(m.PROTOCOL_OLDEST, m.PROTOCOL_VERSION)
        self._writer.send({"call": calls.HELLO.name, "body": to_json(greeting)})
        return self._answer(calls.HELLO, self._frame())

    def _send(self, call: calls.Call[Q, A], request: Q) -> None:
        self._writer.send({"call": call.name, "body": to_json(request)})

    def _frame(self) -> dict[str, object]:
        frame = self._reader.read()
        if frame is None:
            raise LinkLost("the host ended the session")
        if isinstance(frame, bytes):
            raise ProtocolMismatch("the host sent bytes where an answer was due")
        return frame

    def _answer(self, call: calls.Call[Q, A], frame: dict[str, object]) -> A:
        if "error" in frame:
            raise _told(frame["error"])
        if "answer" not in frame:
            raise ProtocolMismatch(f"no answer to `{call.name}` but {sorted(frame)}")
        return from_json(call.answer, frame["answer"])

    def _ask(self, call: calls.Call[Q, A], request: Q) -> A:
        self._send(call, request)
        return self._answer(call, self._frame_past_events())

    def _frame_past_events(self) -> dict[str, object]:
        """A request may have to finish an earlier run's business first, and tells of it."""
        frame = self._frame()
        while "event" in frame:
            frame = self._frame()
        return frame

    def _events(self, call: calls.Call[Q, calls.Ended], request: Q) -> Iterator[m.StepEvent]:
        self._send(call, request)
        while True:
            frame = self._frame()
            if "event" not in frame:
                self._answer(call, frame)
                return
            yield from_json(m.StepEvent, frame["event"])


def _told(error: object) -> HostError:
    fault = from_json(m.Fault, error)
    return host_error(fault.code, fault.message, fault.hint)
