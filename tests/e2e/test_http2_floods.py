"""Floods of HTTP/2 frames. Each is ended with ENHANCE_YOUR_CALM, counted and said; while it goes
on, over and over on new connections, everybody else is served and memory stays where it was.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import ssl
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import pytest
from support.certs import Certificate
from support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    SETTINGS,
    Http2Client,
    frame,
    get,
    head,
    post,
    priority_update,
    reset,
    settings,
    window_update,
)
from support.polling import wait_until
from support.procfs import memory
from support.server import Server
from support.trees import pack_files, pattern

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]

SPAWN = multiprocessing.get_context("spawn")
PAGE = pattern("page", 10_000)
LARGE = 8 << 20
#: Of other clients, while a flood goes on.
REQUESTS = 100
#: By which the server's own pages may grow: buffers of a few connections, and what the allocator
#: keeps. A flood that is kept in memory passes it within a second.
GROWTH_KB_MAX = 8 << 10
ROUNDS = 4
FLOODING = 2
BATCH = 64
READY_S = 60

#: One entry that fills the peer's table, then references to it: 16 KB that stand for 60 MB.
BOMB = (head() + b"\x40\x01x\x7f\xa1\x1e" + b"v" * 4000).ljust(16_000, b"\xbe")
LARGE_SETTINGS = frame(SETTINGS, b"\0\x04\0\0\xff\xff" * 2700)


@dataclass(frozen=True)
class Flood:
    """What is sent once on a connection, and then again and again: the number counts up."""

    reason: str
    again: Callable[[int], bytes]
    first: bytes = b""
    opening: bytes = PREFACE + settings()


def _reset(number: int) -> bytes:
    return get(2 * number + 1) + reset(2 * number + 1)


def _refused(number: int) -> bytes:
    return frame(HEADERS, head(Upper="x"), flags=END_HEADERS | END_STREAM, stream=2 * number + 1)


def _bomb(number: int) -> bytes:
    flags = END_HEADERS | END_STREAM
    return frame(HEADERS, BOMB, flags=flags, stream=2 * number + 1) + reset(2 * number + 1)


def _unread(number: int) -> bytes:
    return get(2 * number + 1, "/large.bin") if number < 100 else b""


def _tiny(number: int) -> bytes:
    return window_update(1 + 2 * (number % 50), 1)


FLOODS = {
    "rapid reset": Flood("resets", _reset),
    "requests made to be reset": Flood("resets", _refused),
    "continuation": Flood(
        "continuations",
        lambda _: frame(CONTINUATION, b"\0\x01a\x01b" * 2700, stream=1),
        first=frame(HEADERS, head(), stream=1),
    ),
    "empty continuation": Flood(
        "continuations",
        lambda _: frame(CONTINUATION, stream=1),
        first=frame(HEADERS, head(), stream=1),
    ),
    "header bombs": Flood("oversized_heads", _bomb),
    "ping": Flood("acks", lambda _: frame(PING, bytes(8))),
    "settings": Flood("acks", lambda _: settings()),
    "settings full of settings": Flood("acks", lambda _: LARGE_SETTINGS),
    "empty data": Flood("noise", lambda _: frame(DATA, stream=1), first=post(1)),
    "unknown frames": Flood("noise", lambda _: frame(0xAA)),
    "priority": Flood("priorities", lambda _: frame(PRIORITY, b"\0\0\0\0\x01", stream=1)),
    "priority update": Flood("priorities", lambda _: priority_update(1, "u=1")),
    "window update": Flood("window_updates", lambda _: window_update(0, 1)),
    "tiny windows": Flood(
        "window_updates",
        _tiny,
        first=b"".join(get(1 + 2 * number, "/large.bin") for number in range(50)),
        opening=PREFACE + settings(initial_window_size=0),
    ),
    "zero window": Flood("stalls", _unread, opening=PREFACE + settings(initial_window_size=0)),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("floods")
    tar = pack_files({"index.html": PAGE, "large.bin": bytes(LARGE)}, place / "site.tar")
    with Server(
        *("--addr", "127.0.0.1:0", "--send-timeout", "1", "--log-format", "off"),
        tar,
        place=place,
        certificate=certificate,
    ) as running:
        _ask(running, 50)  # what a busy server keeps for the next request is there
        yield running


def _ask(server: Server, count: int) -> None:
    """Requests of clients that behave, over both protocols; all must be answered."""
    with (
        server.connect() as http1,
        Http2Client.tls(server.address("https"), _context(server)) as http2,
    ):
        for number in range(count // 2):
            assert http1.ask("/").body == PAGE
            stream = 2 * number + 1
            http2.send(get(stream))
            answer = http2.until_stream_ends(stream)
            assert answer[0].status == 200
            assert b"".join(each.payload for each in answer[1:]) == PAGE
            http2.send(window_update(0, len(PAGE)))


def _context(server: Server) -> ssl.SSLContext:
    assert server.certificate is not None
    return server.certificate.context()


def _ended(server: Server, reason: str) -> int:
    """Connections that were ended for it, as `/metrics` says."""
    line = f'zeroserve_http2_ended_total{{reason="{reason}"}} '
    for each in server.control.metrics().splitlines():
        if each.startswith(line):
            return int(each.removeprefix(line))
    raise AssertionError(f"no metric {line}")


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.timeout(300)
def test_a_flood_hurts_nobody_else(server: Server, name: str) -> None:
    flood = FLOODS[name]
    before, ended = memory(server.pid), _ended(server, flood.reason)
    stop: Event = SPAWN.Event()
    told: Queue[str] = SPAWN.Queue()
    flooding = [
        SPAWN.Process(target=_flood, args=(name, server.address("http"), stop, told), daemon=True)
        for _ in range(FLOODING)
    ]
    for each in flooding:
        each.start()
    grown = 0
    try:
        for _ in flooding:
            assert told.get(timeout=READY_S) == "calm"
        for _ in range(ROUNDS):
            _ask(server, REQUESTS // ROUNDS)
            grown = max(grown, memory(server.pid).anonymous - before.anonymous)
    finally:
        stop.set()
        for each in flooding:
            each.join(30)
            if each.is_alive():
                each.kill()
    count = _ended(server, flood.reason) - ended
    print(f"{name}: {count} connections ended, memory grew by {grown} KiB at most")
    assert count >= FLOODING
    assert grown <= GROWTH_KB_MAX
    wait_until(lambda: "HTTP/2 connection of 127.0.0.1 ended: " in server.said, timeout_s=10)


def test_lines_about_floods_are_few(server: Server) -> None:
    lines = [each for each in server.said.splitlines() if each.startswith("HTTP/2 connection")]
    total = sum(_ended(server, flood.reason) for flood in FLOODS.values())
    print(f"{len(lines)} lines for {total} connections")
    assert 0 < len(lines) < max(total, 100)


def _flood(name: str, address: tuple[str, int], stop: Event, told: Queue[str]) -> None:
    """Floods one connection after the other until told to stop; says so after the first end."""
    try:
        first = True
        while not stop.is_set():
            code = _until_ended(FLOODS[name], address, stop)
            if first and code is not None:
                assert code == ENHANCE_YOUR_CALM, code
                told.put("calm")
                first = False
    except BaseException:
        told.put(traceback.format_exc())


def _until_ended(flood: Flood, address: tuple[str, int], stop: Event) -> int | None:
    """The code of the GOAWAY that ended the connection; None when it was lost to a reset."""
    with Http2Client.plain(address, flood.opening) as client:
        client.peer.settimeout(READY_S)
        with contextlib.suppress(OSError):
            client.send(flood.first)
            number = 0
            while not stop.is_set():
                batch = [flood.again(number + each) for each in range(BATCH)]
                number += BATCH
                if not any(batch):
                    break
                client.send(*batch)
                for each in client.frames_at_hand():
                    if each.kind == GOAWAY:
                        return each.code
        with contextlib.suppress(OSError):
            for each in client.frames():
                if each.kind == GOAWAY:
                    return each.code
        return None
