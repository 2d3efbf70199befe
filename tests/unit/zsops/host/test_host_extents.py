"""Extents: a tar is cut without gaps, and put together again from what is kept and what is sent."""

from __future__ import annotations

import io
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sites import packed

from zsops import errors
from zsops.host import messages as m
from zsops.host.extents import EXTENT_BYTES_MAX, cuts, decode, encode, read_extents, runs
from zsops.transport.memory import MemoryHost, MemoryTransport

MEMBERS = st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 3000)), max_size=6)


@given(MEMBERS, st.integers(0, 10_000))
def test_cuts_cover_everything_once(members: list[tuple[int, int]], size: int) -> None:
    at = 0
    for offset, length in cuts(members, size):
        assert (offset, length > 0) == (at, True)
        at += length
    assert at >= size or not members
    assert at <= max(size, *(offset for offset, _ in members), 0) if members else at == size


def test_large_members_are_cut() -> None:
    pieces = list(cuts([(1024, 3 * EXTENT_BYTES_MAX)], 1024 + 3 * EXTENT_BYTES_MAX))
    assert [length for _, length in pieces] == [512, 2**20, 2**20, 2**20, 512]


FILES = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 3).map(lambda n: bytes([n]) * n * 700)
)


@given(FILES, FILES, st.integers(0, 20_000))
def test_a_tar_comes_together_from_kept_pieces(
    old: dict[str, bytes], new: dict[str, bytes], start: int
) -> None:
    before, after = packed({"index.html": b"1", **old}), packed({"index.html": b"2", **new})
    start = min(start, len(after.tar))
    kept = {
        each.digest: ("old", each.offset, each.size)
        for each in decode(before.extents, len(before.tar))
    }
    made = after.tar[:start]
    for run in runs(decode(after.extents, len(after.tar)), kept, start, len(after.tar)):
        assert run.offset == len(made)
        source, at = (
            (after.tar, run.offset) if run.source is None else (before.tar, run.source_offset)
        )
        made += source[at : at + run.size]
    assert made == after.tar


def test_extents_cross_the_wire() -> None:
    data = bytes(range(256)) * 8
    made = read_extents(io.BytesIO(data), [(512, 100), (1024, 700)], len(data))
    assert decode(encode(made), len(data)) == made
    for wrong, size in ((encode(made), len(data) + 1), ("!", 8), ("QUJD", 8)):
        with pytest.raises(errors.BadRequest):
            decode(wrong, size)


@pytest.mark.parametrize("change", [b"", b"more"], ids=["short", "long"])
def test_a_stream_of_the_wrong_length_is_refused(change: bytes) -> None:
    what = packed({"index.html": b"<title>x</title>"})
    host = MemoryHost()
    settings = m.InstanceSettings(("localhost",), ("127.0.0.1:0",))
    with MemoryTransport(host).connect() as session:
        session.install(m.Install("web", settings))
        token = session.take_lease(m.TakeLease("ana", "", 60.0, "run-1")).token
    sent = [what.tar + change if change else what.tar[:700]]
    host.world.chunks = lambda: sent.pop() if sent else b""
    request = m.Stage(token, "web", what.release_digest, what.site_digest, len(what.tar))
    with pytest.raises(errors.DigestMismatch):
        host.service().stage(request)
    digits = what.release_digest.removeprefix("sha256:")
    assert host.disk.size(f"incoming/{digits}.part") is None
    assert sha256(what.tar).hexdigest() == digits
