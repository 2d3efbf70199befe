"""Visitors of every kind, from processes of their own: what they get is compared byte by byte."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import socket
import ssl
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from support.client import Connection, request
from support.http2_get import Http2
from support.load import LINE_BYTES, version_of

SPAWN = multiprocessing.get_context("spawn")
#: Every path and its size; the content is that of `versioned`.
SIZES = {"/index.html": 176, "/docs/": 1 << 10, "/page.html": 102_400, "/large.bin": 8 << 20}
SMALL = ("/index.html", "/docs/", "/page.html")
SLOW_RECEIVE_BYTES = 64 << 10
UPLOAD_BYTES = 200_000
TIMEOUT_S = 60


@dataclass(frozen=True)
class Place:
    """Where the server is, and the certificates it may show."""

    tls: tuple[str, int]
    plain: tuple[str, int]
    trusted: Path


@dataclass
class Shared:
    """What reloader and visitors tell each other."""

    stop: Event = field(default_factory=SPAWN.Event)
    #: No version below this may be sent any more.
    acknowledged: Synchronized[int] = field(default_factory=lambda: SPAWN.Value("q", 0))
    #: No version above this exists.
    newest: Synchronized[int] = field(default_factory=lambda: SPAWN.Value("q", 0))
    outcomes: Queue[tuple[Counter[str], str]] = field(default_factory=SPAWN.Queue)


def start(place: Place, shared: Shared, seed: int) -> multiprocessing.process.BaseProcess:
    """One process of visitors, who come one after the other in an order that `seed` decides."""
    process = SPAWN.Process(target=_visit, args=(place, shared, seed), daemon=True)
    process.start()
    return process


def _visit(place: Place, shared: Shared, seed: int) -> None:
    counts, failure = Counter[str](), ""
    visitor = Visitor(place, shared, random.Random(seed))
    weights = list(HABITS.values())
    habits = list(HABITS)
    name = ""
    try:
        while not shared.stop.is_set():
            (habit,) = visitor.random.choices(habits, weights)
            name = habit.__name__
            habit(visitor)
            counts[name] += 1
        visitor.leave()
    except BaseException:
        failure = f"{name}, seed {seed}, after {counts}:\n{traceback.format_exc()}"
    shared.outcomes.put((counts, failure))


class Visitor:
    """Keeps one good connection, and opens others for what is odd."""

    def __init__(self, place: Place, shared: Shared, chance: random.Random) -> None:
        self.place, self.shared, self.random = place, shared, chance
        self.context = ssl.create_default_context(cafile=str(place.trusted))
        self.context_http2 = ssl.create_default_context(cafile=str(place.trusted))
        self.context_http2.set_alpn_protocols(["h2"])
        self.kept: Connection | None = None
        self.kept_http2: Http2 | None = None
        self.slow: tuple[Connection, int, int] | None = None

    def connection(self) -> Connection:
        """The good one."""
        if self.kept is None:
            self.kept = self.fresh()
        return self.kept

    def http2(self) -> Http2:
        """The good one that speaks HTTP/2."""
        if self.kept_http2 is None:
            self.kept_http2 = Http2(self.fresh(context=self.context_http2))
        return self.kept_http2

    def fresh(self, receive_bytes: int = 0, *, context: ssl.SSLContext | None = None) -> Connection:
        """A new TLS connection."""
        peer = socket.socket()
        peer.settimeout(TIMEOUT_S)
        if receive_bytes:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        peer.connect(self.place.tls)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = context or self.context
        return Connection(context.wrap_socket(peer, server_hostname="localhost"))

    def reconnect(self) -> None:
        """Leave the good connections; the next visit opens others."""
        if self.kept is not None:
            self.kept.close()
            self.kept = None
        if self.kept_http2 is not None:
            self.kept_http2.connection.close()
            self.kept_http2 = None

    def leave(self) -> None:
        """Close everything."""
        self.reconnect()
        if self.slow is not None:
            self.slow[0].close()

    def least(self) -> int:
        """The oldest version that an answer to a request sent from now on may be of."""
        return self.shared.acknowledged.value

    def judge(self, body: bytes, least: int, size: int) -> int:
        """A body must be whole, of one version, and of one that may be served."""
        assert len(body) == size
        number = version_of(body)
        assert least <= number <= self.shared.newest.value, (least, number)
        return number


def small_files(visitor: Visitor) -> None:
    """Some requests, one after the other."""
    connection = visitor.connection()
    for _ in range(20):
        path, least = visitor.random.choice(SMALL), visitor.least()
        answer = connection.ask(path)
        assert answer.status == 200, answer
        visitor.judge(answer.body, least, SIZES[path])


def pipelined(visitor: Visitor) -> None:
    """Many requests in one write."""
    paths = [visitor.random.choice(SMALL) for _ in range(30)]
    connection, least = visitor.connection(), visitor.least()
    connection.send(b"".join(map(request, paths)))
    for path in paths:
        visitor.judge(connection.read_answer().body, least, SIZES[path])


def large_file(visitor: Visitor) -> None:
    """All of the large one."""
    least = visitor.least()
    answer = visitor.connection().ask("/large.bin")
    visitor.judge(answer.body, least, SIZES["/large.bin"])


def ranges(visitor: Visitor) -> None:
    """A part, on the borders of lines so that it can be judged; and parts that are not there."""
    path = visitor.random.choice(["/page.html", "/large.bin"])
    lines = SIZES[path] // LINE_BYTES
    first = visitor.random.randrange(lines) * LINE_BYTES
    length = visitor.random.randrange(1, 5000) * LINE_BYTES
    end = min(first + length, SIZES[path])
    connection, least = visitor.connection(), visitor.least()
    part = connection.ask(path, fields={"Range": f"bytes={first}-{first + length - 1}"})
    assert part.status == 206, part
    visitor.judge(part.body, least, end - first)
    beyond = connection.ask(path, fields={"Range": f"bytes={SIZES[path]}-"})
    assert beyond.status == 416, beyond
    several = connection.ask(path, fields={"Range": "bytes=0-15,1600-1615"})
    assert several.status == 206, several
    assert several["content-type"].startswith("multipart/byteranges")


def conditions(visitor: Visitor) -> None:
    """What is still the same is not sent; what a reload has changed in between is."""
    connection = visitor.connection()
    tag = connection.ask("/page.html", method="HEAD")["etag"]
    least = visitor.least()
    again = connection.ask("/page.html", fields={"If-None-Match": tag})
    assert again.status in (200, 304), again
    if again.status == 200:
        visitor.judge(again.body, least, SIZES["/page.html"])
    failed = connection.ask("/page.html", fields={"If-Match": '"nothing"'})
    assert failed.status == 412, failed


def missing(visitor: Visitor) -> None:
    """What is not there, not allowed, or elsewhere."""
    connection = visitor.connection()
    assert connection.ask("/missing").status == 404
    assert connection.ask("/.zeroserve/members.bin").status == 404
    assert connection.ask("/docs").status == 308
    assert connection.ask("/index.html", method="DELETE").status == 405


def upload(visitor: Visitor) -> None:
    """A body that nobody wants: the answer comes all the same, and the connection goes on."""
    connection = visitor.connection()
    head = f"POST /index.html HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n"
    connection.send(head.encode() + bytes(UPLOAD_BYTES))
    assert connection.read_answer().status == 405
    chunked = "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"1000\r\n" + bytes(0x1000) + b"\r\n"
    connection.send(chunked.encode() + chunk * 20 + b"0\r\n\r\n")
    assert connection.read_answer().status in (404, 405)
    least = visitor.least()
    visitor.judge(connection.ask("/index.html").body, least, SIZES["/index.html"])


def slow_reader(visitor: Visitor) -> None:
    """Begins to read a large file, comes back after other visits, and reads on or hangs up."""
    if visitor.slow is None:
        reader, least = visitor.fresh(SLOW_RECEIVE_BYTES), visitor.least()
        reader.send(request("/large.bin"))
        assert reader.read_head().status == 200
        number = version_of(reader.read_bytes(LINE_BYTES * 100))
        assert least <= number <= visitor.shared.newest.value
        visitor.slow = reader, number, LINE_BYTES * 100
        return
    reader, number, done = visitor.slow
    if visitor.random.random() < 0.3:
        reader.close()
        visitor.slow = None
        return
    size = SIZES["/large.bin"]
    more = min(size - done, visitor.random.choice([64 << 10, 1 << 20, size]))
    assert version_of(reader.read_bytes(more)) == number
    visitor.slow = reader, number, done + more
    if done + more == size:
        visitor.judge(reader.ask("/index.html").body, number, SIZES["/index.html"])
        reader.close()
        visitor.slow = None


def come_and_go(visitor: Visitor) -> None:
    """Connections that end early, at every stage."""
    visitor.fresh().close()
    with visitor.fresh() as half:
        half.send(b"GET /index.html HTTP/1.1\r\nHost: loc")
    with visitor.fresh() as unread:
        unread.send(request("/large.bin"))
    for sent in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(300)):
        with contextlib.suppress(OSError), Connection.plain(visitor.place.tls) as broken:
            broken.send(sent)
    visitor.reconnect()


def malformed(visitor: Visitor) -> None:
    """Bytes that are no request are answered, and the connection is closed behind the answer."""
    wrong = {
        b"GET /\r\n\r\n": 400,
        b"GET / HTTP/1.1\r\n\r\n": 400,
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n": 505,
        b"GET /" + b"a" * 9000: 414,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n": 431,
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n": 501,
    }
    sent, status = visitor.random.choice(list(wrong.items()))
    with Connection.plain(visitor.place.plain) as connection:
        connection.send(sent)
        answer = connection.read_answer()
        assert (answer.status, answer["connection"]) == (status, "close"), answer
        assert connection.is_closed()


def plain_file(visitor: Visitor) -> None:
    """The same files without TLS."""
    with Connection.plain(visitor.place.plain) as connection:
        for path in SMALL:
            least = visitor.least()
            visitor.judge(connection.ask(path).body, least, SIZES[path])


def http2_streams(visitor: Visitor) -> None:
    """Many small files at once over HTTP/2, with a range and the large one among them."""
    paths = [visitor.random.choice(SMALL) for _ in range(20)]
    client, least = visitor.http2(), visitor.least()
    asked = dict(zip(client.begin(*paths), paths, strict=True))
    lines = SIZES["/page.html"] // LINE_BYTES
    first = visitor.random.randrange(lines - 10) * LINE_BYTES
    last = first + 10 * LINE_BYTES - 1
    (part,) = client.begin("/page.html", fields={"range": f"bytes={first}-{last}"})
    large = client.begin("/large.bin") if visitor.random.random() < 0.2 else ()
    for stream in (*asked, *large):
        answer = client.read(stream)
        assert answer.status == 200, answer.status
        visitor.judge(bytes(answer.body), least, SIZES[asked.get(stream, "/large.bin")])
        client.forget(stream)
    answer = client.read(part)
    assert answer.status == 206, answer.status
    visitor.judge(bytes(answer.body), least, 10 * LINE_BYTES)
    client.forget(part)


def http2_cut(visitor: Visitor) -> None:
    """A large file over HTTP/2 that is cancelled in the middle, or cut with its connection."""
    client = visitor.http2()
    (large, small) = client.begin("/large.bin", "/index.html")
    wanted = visitor.random.randrange(1, SIZES["/large.bin"] // 2)
    while len(client.answers[large].body) < wanted:
        client.read_frame()
    if visitor.random.random() < 0.5:
        visitor.reconnect()
        return
    client.cancel(large)
    assert client.read(small).status == 200
    client.forget(large)
    client.forget(small)


#: How often each kind comes.
HABITS: dict[Callable[[Visitor], None], int] = {
    small_files: 30,
    pipelined: 8,
    large_file: 3,
    ranges: 8,
    conditions: 8,
    missing: 8,
    upload: 4,
    slow_reader: 12,
    come_and_go: 4,
    malformed: 6,
    plain_file: 6,
    http2_streams: 10,
    http2_cut: 4,
}
