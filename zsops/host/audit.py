"""The host's audit log: one JSON line a transition, each chained to the one before by SHA-256.

The file is allocated ahead and its unused end is zeros, so that an entry can be written on a full
disk. A last line without its newline is *torn* (power was lost while it was written): it is
reported, and the next entry takes its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from zsops.errors import ProtocolMismatch
from zsops.host.codec import from_json, shortened, to_json
from zsops.host.effects import Allocate, FileSize, Fsync, ReadFile, Steps, WallTime, WriteAt, do
from zsops.host.layout import AUDIT
from zsops.host.messages import AuditEntry, AuditReport

_GENESIS = "0" * 64
_TEXT_BYTES_MAX = 700  # keeps a line below 3 KiB
# A deployment and its revert write ten lines at most; they must fit without allocating.
ROOM_BYTES_MIN = 40 << 10
ROOM_BYTES = 80 << 10


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Whole lines, and the torn rest."""
    written = raw.rstrip(b"\0")
    cut = written.rfind(b"\n") + 1
    return written[:cut], written[cut:]


def _chain(before: str, fields: dict[str, object]) -> str:
    content = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{content}".encode()).hexdigest()


def parse(raw: bytes, **wanted: str) -> Iterator[AuditEntry]:
    """The entries of the log, unchecked, oldest first; ends at the first line that is none.

    `wanted`: only those with these values; lines of others are not looked into, since a log of
    years is read in every session.
    """
    marks = _marks(wanted)
    for line in _split(raw)[0].splitlines():
        if all(mark in line for mark in marks):
            try:
                entry = from_json(AuditEntry, json.loads(line))
            except (ValueError, ProtocolMismatch):
                return
            if all(getattr(entry, name) == value for name, value in wanted.items()):
                yield entry


def _marks(wanted: dict[str, str]) -> list[bytes]:
    """What a line with these values holds somewhere (and others may)."""
    return [
        json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
        for name, value in wanted.items()
    ]


def verify(raw: bytes) -> AuditReport:
    """Walk the chain. A torn tail leaves `intact` true; a changed, lost or moved line does not."""
    whole, torn = _split(raw)
    before, count = _GENESIS, 0
    for number, line in enumerate(whole.splitlines(), start=1):
        problem = None
        try:
            fields = json.loads(line)
            entry = from_json(AuditEntry, fields)
            del fields["chain"]
            if entry.chain != _chain(before, fields):
                problem = f"line {number} does not follow from the line before it"
            elif entry.seq != number:
                problem = f"line {number} says it is number {entry.seq}"
            before = entry.chain
        except (ValueError, ProtocolMismatch):
            problem = f"line {number} is not an audit entry"
        if problem is not None:
            return AuditReport(count, False, len(torn), number, problem)
        count = number
    problem = f"the last line is unfinished ({len(torn)} bytes)" if torn else None
    return AuditReport(count, True, len(torn), None, problem)


def entry_line(raw: bytes, entry: AuditEntry) -> tuple[int, bytes]:
    """Where the next entry goes in `raw`, and its bytes; `seq` and `chain` are filled in here."""
    whole, torn = _split(raw)
    before, seq = _GENESIS, 0
    if whole:
        last = from_json(AuditEntry, json.loads(whole[whole.rfind(b"\n", 0, -1) + 1 :]))
        before, seq = last.chain, last.seq
    fields = to_json(entry)
    assert isinstance(fields, dict)
    fields["seq"] = seq + 1
    for key in ("who", "why", "detail"):
        fields[key] = shortened(str(fields[key]), _TEXT_BYTES_MAX)
    if torn:
        fields["detail"] = f"{fields['detail']} [replaces a torn line]".strip()
    del fields["chain"]
    fields["chain"] = _chain(before, fields)
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    line = text.encode() + b"\n"
    return len(whole), line + b"\0" * max(0, len(torn) - len(line))


def record(  # noqa: PLR0913 - the columns of an audit line
    event: str,
    *,
    instance: str = "",
    who: str = "",
    why: str = "",
    release: str | None = None,
    release_digest: str | None = None,
    detail: str = "",
    journal_seq: int | None = None,
) -> Steps[None]:
    """Append one line and make it durable."""
    at = yield from do(WallTime())
    entry = AuditEntry(
        0, at, event, instance, who, why, release, release_digest, detail, journal_seq, ""
    )
    raw = (yield from do(ReadFile(AUDIT))) or b""
    offset, line = entry_line(raw, entry)
    yield from do(WriteAt(AUDIT, offset, line))
    yield from do(Fsync(AUDIT))


def make_room() -> Steps[None]:
    """Allocate the log far enough ahead for a deployment and its revert."""
    raw = (yield from do(ReadFile(AUDIT))) or b""
    size = (yield from do(FileSize(AUDIT))) or 0
    used = len(raw.rstrip(b"\0"))
    if size - used < ROOM_BYTES_MIN:
        yield from do(Allocate(AUDIT, used + ROOM_BYTES))
        yield from do(Fsync(AUDIT))


def every() -> Steps[tuple[AuditEntry, ...]]:
    """All entries, oldest first."""
    return tuple(parse((yield from do(ReadFile(AUDIT))) or b""))


def entries(instance: str, **wanted: str) -> Steps[tuple[AuditEntry, ...]]:
    """The entries about one instance, oldest first; `wanted` as in `parse`."""
    raw = (yield from do(ReadFile(AUDIT))) or b""
    return tuple(parse(raw, instance=instance, **wanted))


def journalled(instance: str) -> Steps[int]:
    """The newest transition of the instance's journal that has its line; 0 for none."""
    raw = (yield from do(ReadFile(AUDIT))) or b""
    (mark,) = _marks({"instance": instance})
    for line in reversed(_split(raw)[0].splitlines()):
        if mark not in line:
            continue
        try:
            entry = from_json(AuditEntry, json.loads(line))
        except (ValueError, ProtocolMismatch):
            continue
        if entry.instance == instance and entry.journal_seq is not None:
            return entry.journal_seq
    return 0


def check() -> Steps[AuditReport]:
    """`verify` of the log on disk."""
    return verify((yield from do(ReadFile(AUDIT))) or b"")
