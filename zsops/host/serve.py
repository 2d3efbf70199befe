"""The framed session: an operator's requests from stdin, answers and events to stdout.

A request is `{"call", "body"}`; the answers are any number of `{"event"}`, for a stage one
`{"offset"}`, and at the end `{"answer"}` or `{"error"}`. Losing the operator never stops a
deployment half way: the protocol runs on to its next resting point, and the deadline does the rest.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from zsops.errors import HostBug, LinkLost, ProtocolMismatch, ZsopsError, wire_error
from zsops.host import calls, crash_point
from zsops.host.codec import from_json, to_json
from zsops.host.frames import Descriptor, FrameReader, FrameWriter, Payload
from zsops.host.machine import Machine
from zsops.host.messages import (
    PROTOCOL_OLDEST,
    PROTOCOL_VERSION,
    StageOffset,
    StepEvent,
)
from zsops.host.rights import Rights, refuse, refuse_shared_root, rights_of
from zsops.host.service import HostService

_PATIENCE_S = 30.0


class Session:
    """One operator's conversation."""

    def __init__(self, machine: Machine, source: int, sink: int, rights: Rights) -> None:
        self._rights = rights
        self._source = Descriptor(source)
        self._reader = FrameReader(self._source)
        self._writer = FrameWriter(sink, _PATIENCE_S)
        self._deaf = False  # the operator is gone; work goes on without telling
        self._uploading = False
        machine.on_event = self._send_event
        machine.on_offset = self._send_offset
        machine.chunks = self._next_chunk
        self._host = HostService(
            machine,
            str(machine.root),
            crash_point.from_environment(),
            tuple(sorted(rights.instances)),
        )

    def run(self) -> None:
        """Answer until the operator closes its end."""
        while not self._deaf:
            try:
                frame = self._reader.read()
                if frame is None:
                    return
                answer = self._answer(frame)
                self._drain_upload()
            except LinkLost:
                return
            except ZsopsError as error:
                self._drain_upload()
                answer = {"error": dict(wire_error(error))}
            except Exception as error:
                self._drain_upload()
                bug = HostBug(f"{type(error).__name__}: {error}", hint="please report this")
                answer = {"error": dict(wire_error(bug))}
            self._send(answer)

    def _answer(self, frame: Payload) -> dict[str, object]:
        if isinstance(frame, bytes):
            raise ProtocolMismatch("bytes came outside of an upload")
        call = calls.BY_NAME.get(str(frame.get("call")))
        if call is None:
            raise ProtocolMismatch(
                f"this host does not know the call `{frame.get('call')}`",
                hint="bring zsops on both sides to the same version",
            )
        if call.name == calls.HELLO.name:
            _check_versions(from_json(calls.Greeting, frame.get("body")))
            return {"answer": to_json(self._host.hello())}
        request = from_json(call.request, frame.get("body"))
        refuse(self._rights, self._host, call.name, request)
        return {"answer": to_json(call.perform(self._host, request))}

    def _send_event(self, event: StepEvent) -> None:
        self._send({"event": to_json(event)})

    def _send_offset(self, offset: int, missing: tuple[tuple[int, int], ...]) -> None:
        self._uploading = True
        self._send({"offset": to_json(StageOffset(offset, missing))})

    def _next_chunk(self) -> bytes:
        if not self._uploading:
            return b""
        # An upload holds the host's lock: a sender that went silent must not keep it.
        self._source.patience_s = _PATIENCE_S
        try:
            frame = self._reader.read()
        finally:
            self._source.patience_s = None
        if frame is None:
            raise LinkLost("the link ended in the middle of an upload")
        if not isinstance(frame, bytes):
            raise ProtocolMismatch("a request came in the middle of an upload")
        self._uploading = bool(frame)
        return frame

    def _drain_upload(self) -> None:
        """Read what the sender still sends, so that it gets to read our answer."""
        try:
            while self._uploading:
                self._next_chunk()
        except ZsopsError:
            self._deaf = True

    def _send(self, payload: Payload) -> None:
        if self._deaf:
            return
        try:
            self._writer.send(payload)
        except LinkLost:
            self._deaf = True


def _check_versions(greeting: calls.Greeting) -> None:
    if greeting.oldest > PROTOCOL_VERSION or greeting.newest < PROTOCOL_OLDEST:
        raise ProtocolMismatch(
            f"the host speaks protocol {PROTOCOL_OLDEST} to {PROTOCOL_VERSION}, "
            f"the operator {greeting.oldest} to {greeting.newest}",
            hint="bring zsops on both sides to the same version",
        )


def serve(root: Path, instances: Sequence[str] = ()) -> int:
    """Serve one session on our own stdin and stdout, for these instances (none named: all)."""
    machine = Machine(root)
    rights = rights_of(frozenset(instances), os.environ)
    if "SUDO_UID" in os.environ and not rights.programs:
        refuse_shared_root(root)
    with contextlib.suppress(KeyboardInterrupt):
        Session(machine, sys.stdin.fileno(), sys.stdout.fileno(), rights).run()
    return 0
