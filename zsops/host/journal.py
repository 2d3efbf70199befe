"""The journal of an instance: where its deployment stands, written before it moves.

Two slots of 4 KiB, allocated at install and written in turn, each with a sequence number and a
checksum: a torn write leaves the other slot, and writing needs no free space. Every transition is
journal first (durable), then its one audit line; a line lost between the two is written later by
`catch_up`.
"""

from __future__ import annotations

import hashlib
import json
import struct

from zsops.errors import HostBug, NotInstalled, ProtocolMismatch
from zsops.frozen import frozen, replace
from zsops.host import audit
from zsops.host.codec import from_json, shortened, to_json
from zsops.host.effects import Fsync, ReadFile, Steps, WriteJournal, do
from zsops.host.layout import AUDIT, InstancePaths
from zsops.host.messages import Phase

SLOT_BYTES = 4096
JOURNAL_BYTES = 2 * SLOT_BYTES
_MAGIC = b"ZSJRNL01"
_HEAD = struct.Struct("<8sI32s")  # magic, payload length, SHA-256 of the payload
_TEXT_BYTES_MAX = 600  # five of them and the rest fit into a slot


@frozen
class State:
    """What the journal holds. `prev` is the release in service outside of a deployment."""

    seq: int
    phase: Phase
    prev: str
    next: str | None
    last_good: str  # set only by CONFIRM (and by install, to the placeholder)
    serial: int
    token: int
    boot_id: str  # of the boot in which `deadline` means something
    deadline: float | None  # on `Clock.now`
    window_s: float
    who: str
    why: str
    event: str  # what the audit line of this transition says
    detail: str
    quarantine: str | None = None  # while REVERTING: next failed, and how
    unsafe: str | None = None  # why this host needs a person

    @property
    def expected(self) -> tuple[str, ...]:
        """Releases `current` may point to in this phase."""
        if self.next is None or self.phase is Phase.STAGED:
            return (self.prev,)
        if self.phase is Phase.ARMED:
            return (self.prev, self.next)
        if self.phase is Phase.REVERTING:
            return (self.prev, self.next, self.last_good)
        return (self.next,)


def encode(state: State) -> bytes:
    """One slot. Texts are cut so that it always fits."""
    short = replace(
        state,
        who=shortened(state.who, _TEXT_BYTES_MAX),
        why=shortened(state.why, _TEXT_BYTES_MAX),
        detail=shortened(state.detail, _TEXT_BYTES_MAX),
        quarantine=state.quarantine and shortened(state.quarantine, _TEXT_BYTES_MAX),
        unsafe=state.unsafe and shortened(state.unsafe, _TEXT_BYTES_MAX),
    )
    payload = json.dumps(to_json(short), ensure_ascii=False).encode()
    assert _HEAD.size + len(payload) <= SLOT_BYTES
    head = _HEAD.pack(_MAGIC, len(payload), hashlib.sha256(payload).digest())
    return (head + payload).ljust(SLOT_BYTES, b"\0")


def decode_slot(slot: bytes) -> State | None:
    """The state in a slot, or None when it is empty, torn or damaged."""
    if len(slot) < _HEAD.size:
        return None
    magic, length, digest = _HEAD.unpack_from(slot)
    payload = slot[_HEAD.size : _HEAD.size + length]
    if magic != _MAGIC or hashlib.sha256(payload).digest() != digest:
        return None
    try:
        return from_json(State, json.loads(payload))
    except (ValueError, ProtocolMismatch):
        return None


def decode(raw: bytes) -> State | None:
    """The newest whole state of a journal file."""
    slots = (decode_slot(raw[:SLOT_BYTES]), decode_slot(raw[SLOT_BYTES:JOURNAL_BYTES]))
    return max((s for s in slots if s is not None), key=lambda s: s.seq, default=None)


def slot_offset(seq: int) -> int:
    """Where the state with this number goes: never over its predecessor."""
    return (seq % 2) * SLOT_BYTES


def first(state: State) -> bytes:
    """A whole journal file holding only `state`."""
    slots = [bytes(SLOT_BYTES), bytes(SLOT_BYTES)]
    slots[state.seq % 2] = encode(state)
    return b"".join(slots)


def peek(paths: InstancePaths) -> Steps[State | None]:
    """The state, or None when the instance is not installed."""
    raw = yield from do(ReadFile(paths.journal))
    if raw is None:
        return None
    state = decode(raw)
    if state is None:
        raise HostBug(
            f"both slots of the journal of `{paths.name}` are damaged",
            hint="restore it from a backup, or move the instance away and install it again",
        )
    return state


def read(paths: InstancePaths) -> Steps[State]:
    """The state; `NotInstalled` when there is no instance."""
    state = yield from peek(paths)
    if state is None:
        raise NotInstalled(f"there is no instance `{paths.name}` on this host")
    return state


def transition(paths: InstancePaths, state: State) -> Steps[State]:
    """Write `state` as the successor of what the journal holds: durable, then audited."""
    state = replace(state, seq=state.seq + 1)
    yield from do(WriteJournal(paths.journal, slot_offset(state.seq), encode(state)))
    yield from do(Fsync(paths.journal))
    yield from write_line(paths, state, state.detail)
    return state


def catch_up(paths: InstancePaths, state: State) -> Steps[None]:
    """Make what was read durable before anything is built on it, and write a lost audit line.

    A killed process may leave a journal slot in the page cache only; acting on it and then losing
    power would leave actions without their journal.
    """
    yield from do(Fsync(paths.journal))
    yield from do(Fsync(AUDIT))
    if (yield from audit.journalled(paths.name)) < state.seq:
        yield from write_line(paths, state, f"{state.detail} [written by recovery]".strip())


def write_line(paths: InstancePaths, state: State, detail: str) -> Steps[None]:
    """The audit line of the transition to `state`."""
    yield from audit.record(
        state.event,
        instance=paths.name,
        who=state.who,
        why=state.why,
        release=state.next or state.prev,
        detail=detail,
        journal_seq=state.seq,
    )
