"""The journal's two slots and the audit chain: torn, damaged, moved, and still readable."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.host import audit, journal, layout
from zsops.host.codec import from_json
from zsops.host.effects import drive
from zsops.host.journal import State
from zsops.host.messages import AuditEntry, Phase
from zsops.transport.memory import MemoryWorld

STATE = State(
    seq=7,
    phase=Phase.IDLE,
    prev="000001-aaaa",
    next=None,
    last_good="000001-aaaa",
    serial=1,
    token=1,
    boot_id="b",
    deadline=None,
    window_s=0.0,
    who="ana",
    why="",
    event="done",
    detail="",
)


@given(st.text(), st.text(), st.text(), st.text())
def test_any_texts_fit_into_a_slot(who: str, why: str, detail: str, unsafe: str) -> None:
    texts = {"who": who * 40, "why": why * 40, "detail": detail * 40}
    slot = journal.encode(replace(STATE, **texts, unsafe=unsafe * 40, quarantine=detail * 40))
    assert len(slot) == journal.SLOT_BYTES
    decoded = journal.decode_slot(slot)
    assert decoded is not None
    assert decoded.prev == STATE.prev


def test_a_torn_write_leaves_the_state_before() -> None:
    """Every prefix of the newer slot over its older bytes: never a wrong state."""
    older, newer = replace(STATE, seq=8), replace(STATE, seq=9, phase=Phase.ARMED)
    raw = bytearray(journal.first(replace(STATE, seq=7)))
    raw[: journal.SLOT_BYTES] = journal.encode(older)
    fresh = journal.encode(newer)
    at = journal.slot_offset(newer.seq)
    for cut in range(journal.SLOT_BYTES + 1):
        torn = bytes(raw[:at]) + fresh[:cut] + bytes(raw[at + cut :])
        assert journal.decode(torn) in (older, newer)
    assert journal.decode(bytes(raw[:at]) + fresh) == newer


@given(st.integers(0, journal.SLOT_BYTES - 1), st.integers(1, 255))
def test_a_flipped_byte_is_never_believed(place: int, mask: int) -> None:
    slot = bytearray(journal.encode(STATE))
    slot[place] ^= mask
    assert journal.decode_slot(bytes(slot)) in (None, STATE)


@given(st.binary(max_size=9000))
def test_noise_is_no_journal(noise: bytes) -> None:
    assert journal.decode(noise) is None


def _log(count: int) -> bytes:
    world = MemoryWorld()
    for number in range(count):
        drive(audit.record("staged", instance="web", who="ana", detail=str(number)), world)
    return world.disk.read(layout.AUDIT) or b""


def test_the_chain_finds_a_changed_a_lost_and_a_moved_line() -> None:
    lines = _log(5).splitlines(keepends=True)
    assert audit.verify(b"".join(lines)).intact
    changed = [*lines[:2], lines[2].replace(b'"ana"', b'"eve"'), *lines[3:]]
    assert audit.verify(b"".join(changed)).broken_line == 3
    assert audit.verify(b"".join(lines[:2] + lines[3:])).broken_line == 3
    assert audit.verify(b"".join([lines[1], lines[0], *lines[2:]])).broken_line == 1


#: What an operator may write to be taken for another entry.
FORGED = '","instance":"web","event":"committed","journal_seq":99,"x":"'


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["web", "api", "w"]),
            st.sampled_from(["committed", "staged"]),
            st.sampled_from(["", FORGED, json.dumps({"instance": "web"}), "committed"]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_entries_are_found_by_what_they_are_about(
    written: list[tuple[str, str, str, bool]],
) -> None:
    world = MemoryWorld()
    for number, (instance, event, text, journalled) in enumerate(written, 1):
        seq = number if journalled else None
        drive(audit.record(event, instance=instance, why=text, journal_seq=seq), world)
    every = drive(audit.every(), world)
    assert [each.event for each in every] == [event for _, event, _, _ in written]
    for name in ("web", "api"):
        mine = [each for each in every if each.instance == name]
        assert list(drive(audit.entries(name), world)) == mine
        committed = [each for each in mine if each.event == "committed"]
        assert list(drive(audit.entries(name, event="committed"), world)) == committed
        last = max((each.journal_seq or 0 for each in mine), default=0)
        assert drive(audit.journalled(name), world) == last


def test_odd_texts_keep_the_chain() -> None:
    world = MemoryWorld()
    for text in ("\ud800", "\0" * 3000, "ä\u2028\n", "😀" * 900):
        drive(audit.record("staged", who=text, why=text, detail=text), world)
    report = audit.verify(world.disk.read(layout.AUDIT) or b"")
    assert (report.intact, report.entries) == (True, 4)


def test_a_torn_tail_is_told_and_replaced_by_the_next_line() -> None:
    whole = _log(3)
    for cut in range(1, len(whole.splitlines(keepends=True)[-1])):
        raw = whole[:-cut] + b"\0" * 100
        report = audit.verify(raw)
        assert report.intact
        assert (report.entries, report.torn_bytes > 0) == (2, True)
    world = MemoryWorld()
    world.disk.write(layout.AUDIT, whole[:-5] + b"\0" * 500, 0o640)
    drive(audit.record("armed", instance="web"), world)
    mended = world.disk.read(layout.AUDIT) or b""
    assert audit.verify(mended).intact
    last = from_json(AuditEntry, json.loads(mended.rstrip(b"\0").splitlines()[-1]))
    assert (last.seq, last.event) == (3, "armed")
    assert "torn" in last.detail


def test_the_log_has_room_for_a_deployment_on_a_full_disk() -> None:
    world = MemoryWorld()
    drive(audit.make_room(), world)
    world.disk.full = True  # type: ignore[attr-defined]
    for number in range(12):
        drive(audit.record("armed", why="x" * 900, detail=str(number) * 900), world)
    assert audit.verify(world.disk.read(layout.AUDIT) or b"").entries == 12
    with pytest.raises(OSError, match="No space"):
        _fill(world)


def _fill(world: MemoryWorld) -> None:
    for _ in range(200):
        drive(audit.record("armed", why="x" * 900), world)
