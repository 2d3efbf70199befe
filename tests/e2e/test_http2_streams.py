"""Many answers on one HTTP/2 connection: who goes first (RFC 9218), what small windows cost, and
that streams under way outlive a drain and a reload. Windows stay closed until everything is asked
for, so that the order of the frames is the server's choice alone.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.certs import Certificate
from support.counterparts import H2LOAD, NGHTTP, require
from support.http2 import (
    ACK,
    DATA,
    GOAWAY,
    NO_ERROR,
    PING,
    PREFACE,
    PROTOCOL_ERROR,
    Frame,
    Http2Client,
    frame,
    get,
    priority_update,
    settings,
    window_update,
)
from support.process import run
from support.procfs import memory
from support.server import Server
from support.trees import pack_files, pattern

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]

SIZE = 400_000
FIRST, SECOND = pattern("first", SIZE), pattern("second", SIZE)
CLOSED = PREFACE + settings(initial_window_size=0)
OPEN = settings(initial_window_size=1 << 24)
WINDOW = 65_535
WIDE = window_update(0, 1 << 24)
#: One turn of a stream; equal streams are never further apart than two.
TURN = 32 << 10
SLOW_CONNECTIONS, STREAMS = 20, 100
LARGE = 64 << 20
GROWTH_KB_MAX = 24 << 10


def site(page: bytes) -> dict[str, bytes]:
    return {"index.html": b"small", "page.bin": page, "large.bin": bytes(LARGE)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("streams")
    tar = pack_files(site(FIRST), place / "site.tar")
    with Server(
        *("--addr", "127.0.0.1:0", "--log-format", "off"),
        tar,
        place=place,
        certificate=certificate,
    ) as running:
        yield running


def asked(client: Http2Client, *priorities: str) -> None:
    """Asks for the page once for each priority, on streams 1, 3, 5 and so on; nothing comes yet."""
    for number, priority in enumerate(priorities):
        fields = {"priority": priority} if priority else {}
        client.send(get(2 * number + 1, "/page.bin", **fields))
    assert not [each for each in client.until_pong() if each.kind == DATA]


def data(client: Http2Client, count: int) -> list[Frame]:
    """The next DATA frames, until so many bytes have come."""
    found, got = [], 0
    for each in client.frames():
        if each.kind == DATA:
            found.append(each)
            got += len(each.payload)
        if got >= count:
            return found
    raise AssertionError(f"closed after {got} bytes")


def runs(frames: list[Frame]) -> list[int]:
    """The streams in their order, each run of frames once."""
    return [stream for stream, _ in itertools.groupby(each.stream for each in frames)]


@pytest.mark.parametrize(
    ("priorities", "order"),
    [
        (("u=5", "u=1", "u=3"), [3, 5, 1]),
        (("u=3", "u=3", "u=3"), [1, 3, 5]),
        (("u=7, i", "u=0, i", "u=4"), [3, 5, 1]),
    ],
)
def test_the_most_urgent_go_first_and_equal_ones_in_their_order(
    server: Server, priorities: tuple[str, ...], order: list[int]
) -> None:
    with Http2Client.plain(server.address("http"), CLOSED) as client:
        asked(client, *priorities)
        client.send(WIDE, OPEN)
        assert runs(data(client, len(priorities) * SIZE)) == order


@pytest.mark.parametrize("priorities", [("i", "u=3, i"), ("", "")])
def test_incremental_streams_take_turns(server: Server, priorities: tuple[str, str]) -> None:
    with Http2Client.plain(server.address("http"), CLOSED) as client:
        asked(client, *priorities)
        client.send(WIDE, OPEN)
        got = {1: 0, 3: 0}
        for each in data(client, 2 * SIZE):
            got[each.stream] += len(each.payload)
            if max(got.values()) < SIZE:
                assert abs(got[1] - got[3]) <= 2 * TURN, got
        assert got == {1: SIZE, 3: SIZE}


def test_a_priority_update_moves_a_stream_before_and_while_it_is_sent(server: Server) -> None:
    with Http2Client.plain(server.address("http"), CLOSED) as client:
        asked(client, "u=3", "u=4", "u=5")
        client.send(priority_update(5, "u=0"), OPEN)
        assert runs(data(client, WINDOW)) == [5]
        client.send(priority_update(3, "u=0"), priority_update(5, "u=6"), window_update(0, SIZE))
        assert runs(data(client, SIZE)) == [3]
        client.send(WIDE)
        assert runs(data(client, 2 * SIZE - WINDOW)) == [1, 5]


def test_a_drain_lets_streams_finish_and_names_the_last(
    tmp_path: Path, certificate: Certificate
) -> None:
    tar = pack_files(site(FIRST), tmp_path / "site.tar")
    arguments = ("--addr", "127.0.0.1:0", "--grace", "60", tar)
    server = Server(*arguments, place=tmp_path, certificate=certificate)
    with Http2Client.tls(server.address("https"), certificate.context()) as client:
        client.send(get(1, "/page.bin"))
        begun = data(client, WINDOW)
        server.program.send(signal.SIGTERM)
        said = _until(client, lambda each: each.kind == PING and not each.flags & ACK)
        assert _goodbyes(said) == [((1 << 31) - 1, NO_ERROR)]
        # A request that was on its way is answered; then the last one is named.
        client.send(get(3), frame(PING, said[-1].payload, flags=ACK))
        said = _until(client, lambda each: each.kind == GOAWAY)
        assert _goodbyes(said) == [(3, NO_ERROR)]
        client.send(WIDE, window_update(1, 1 << 24), get(5))
        rest = list(client.frames())
    ours = [each for each in (*begun, *said, *rest) if each.kind == DATA]
    assert b"".join(each.payload for each in ours if each.stream == 1) == FIRST
    assert b"".join(each.payload for each in ours if each.stream == 3) == b"small"
    assert not [each for each in rest if each.stream == 5], "what came too late is ignored"
    assert server.program.wait(30) == 0


def test_a_stream_under_way_keeps_its_generation_over_a_reload(
    tmp_path: Path, certificate: Certificate
) -> None:
    tar = pack_files(site(FIRST), tmp_path / "site.tar")
    with Server(tar, place=tmp_path, certificate=certificate) as server:
        with Http2Client.tls(server.address("https"), certificate.context()) as client:
            client.send(get(1, "/page.bin"))
            begun = data(client, WINDOW)
            pack_files(site(SECOND), tar)
            assert server.control.reload(None).ok
            client.send(get(3, "/page.bin"))
            client.send(WIDE, window_update(1, 1 << 24), window_update(3, 1 << 24))
            rest = data(client, 2 * SIZE - WINDOW)
        for stream, page in ((1, FIRST), (3, SECOND)):
            parts = [each.payload for each in (*begun, *rest) if each.stream == stream]
            assert b"".join(parts) == page


@pytest.mark.timeout(300)
def test_small_windows_hold_back_files_and_not_memory(server: Server) -> None:
    with Http2Client.plain(server.address("http")) as client:
        client.send(get(1, "/page.bin"))
        data(client, WINDOW)
    before = memory(server.pid)
    grown = 0
    slow = [Http2Client.plain(server.address("http")) for _ in range(SLOW_CONNECTIONS)]
    for client in slow:
        for number in range(STREAMS):
            client.send(get(2 * number + 1, "/large.bin"))
    for _ in range(4):
        for client in slow:  # each window is used up, and opened by a little
            data(client, WINDOW)
            client.send(window_update(0, WINDOW))
            for number in range(STREAMS):
                client.send(window_update(2 * number + 1, 700))
        with server.connect() as other:
            for _ in range(25):
                assert other.ask("/").body == b"small"
        grown = max(grown, memory(server.pid).anonymous - before.anonymous)
    for client in slow:
        client.peer.close()
    asked_for = SLOW_CONNECTIONS * STREAMS
    print(f"{asked_for} downloads of 64 MiB, hardly read: memory grew by {grown} KiB at most")
    assert grown <= GROWTH_KB_MAX


@pytest.mark.parametrize("bits", [10, 14, 30])
def test_h2load_gets_every_answer_through_any_window(server: Server, bits: int) -> None:
    windows = ["-w", str(bits), "-W", str(max(bits, 16))]
    command = [require(H2LOAD), "-n", "300", "-c", "6", "-m", "20", *windows]
    got = run([*command, server.url + "/page.bin"])
    assert "300 succeeded, 0 failed, 0 errored, 0 timeout" in got.text, got.text + got.stderr
    assert f"({300 * SIZE}) data" in got.text.replace(",", ""), got.text


def test_nghttp_fetches_and_uploads(server: Server, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(pattern("upload", 300_000))
    fetched = run([require(NGHTTP), "-y", "-w", "12", server.url + "/page.bin"])
    assert fetched.stdout == FIRST
    sent = run([require(NGHTTP), "-nvy", "-d", body, server.url + "/"])
    assert ":status: 405" in sent.text, sent.text


def test_a_broken_preface_is_told_in_http2_and_anything_else_is_http1(server: Server) -> None:
    broken = PREFACE.replace(b"SM", b"XM")
    with Http2Client.plain(server.address("http"), broken) as client:
        assert client.until_goodbye().code == PROTOCOL_ERROR
    with server.connect_plain() as other:
        other.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
        assert other.read_head().status == 400


def _until(client: Http2Client, last: Callable[[Frame], bool]) -> list[Frame]:
    found = []
    for each in client.frames():
        found.append(each)
        if last(each):
            return found
    raise AssertionError(f"closed after {found[-3:]}")


def _goodbyes(frames: list[Frame]) -> list[tuple[int, int]]:
    """Last stream and code of each GOAWAY."""
    return [(int.from_bytes(each.payload[:4]), each.code) for each in frames if each.kind == GOAWAY]
