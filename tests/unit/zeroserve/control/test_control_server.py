"""Control socket and client, with a real socket between them and a fake engine behind."""

import hashlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_fakes import STATS, FakeEngine
from support.polling import wait_until

from zeroserve.config.load import ServeWish, load_config
from zeroserve.control.client import ControlClient
from zeroserve.control.server import CONNECTIONS_MAX, ControlServer
from zeroserve.control.service import Service
from zeroserve.errors import ControlRefused, DaemonNotRunning


class Running:
    """A service with its control socket, served by threads of the test."""

    def __init__(self, directory: Path) -> None:
        self.site = directory / "site.tar"
        self.site.write_bytes(b"1 first")
        self.path = directory / "c.sock"
        self.said: list[str] = []
        self.drains = threading.Semaphore(0)
        config = load_config(ServeWish(site=str(self.site))).config
        engines: list[FakeEngine] = []

        def start(settings: bytes) -> FakeEngine:
            engines.append(FakeEngine(settings))
            return engines[0]

        listener = ControlServer.claim(str(self.path))
        self.service = Service.start(config, [], 2, start, self.said.append)
        self.engine = engines[0]
        self.server = ControlServer(str(self.path), self.service, self.drains.release)
        self.server.open(listener)
        self.client = ControlClient(self.path, 20)

    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.site.read_bytes()).hexdigest()


@pytest.fixture
def running(short_dir: Path) -> Iterator[Running]:
    one = Running(short_dir)
    yield one
    assert one.server.close(20)


def test_status(running: Running) -> None:
    status = running.client.status()
    assert status["v"] == 1
    assert status["pid"] == os.getpid()
    assert status["generation"] == 1
    assert status["release_digest"] == running.digest()
    assert status["site_digest"] == "sha256:" + b"1".hex() * 32
    assert status["last_reload"] is None
    assert status["stats"] == STATS


def test_a_reload_swaps(running: Running) -> None:
    running.site.write_bytes(b"2 second")
    answer = running.client.reload(None)
    assert (answer.ok, answer.id, answer.generation) == (True, 1, 2)
    assert answer.release_digest == running.digest()
    assert running.engine.specs[-1]["id"] == 2
    assert running.client.status()["generation"] == 2
    assert running.client.reload(running.digest()).generation == 3


def test_a_refused_reload_keeps_the_old(running: Running) -> None:
    before = running.client.status()
    running.site.write_bytes(b"bad")
    answer = running.client.reload(None)
    assert (answer.ok, answer.id, answer.generation) == (False, 1, None)
    assert str(running.site) in (answer.error or "")
    status = running.client.status()
    for name in ("generation", "release_digest", "site_digest"):
        assert status[name] == before[name]
    last = status["last_reload"]
    assert isinstance(last, dict)
    assert (last["id"], last["ok"], last["error"]) == (1, False, answer.error)
    running.site.write_bytes(b"3 good again")
    assert running.client.reload(None).generation == 2


def test_an_unexpected_digest_swaps_nothing(running: Running) -> None:
    running.site.write_bytes(b"2 second")
    answer = running.client.reload("sha256:" + "0" * 64)
    assert not answer.ok
    assert running.digest() in (answer.error or "")
    assert len(running.engine.specs) == 1


def test_a_bug_in_a_reload_is_an_answer(running: Running) -> None:
    running.engine.bug = RuntimeError("oops")
    answer = running.client.reload(None)
    assert "oops" in (answer.error or "")
    with pytest.raises(ControlRefused, match="500"):
        running.client.status()
    running.engine.bug = None
    assert running.client.status()["generation"] == 1


def test_status_answers_while_a_reload_runs(running: Running) -> None:
    running.engine.gate = threading.Event()
    thread = threading.Thread(target=running.client.reload, args=(None,))
    thread.start()
    assert running.engine.entered.acquire(timeout=20)
    assert running.client.status()["generation"] == 1
    running.engine.gate.set()
    thread.join(20)
    assert running.client.status()["generation"] == 2


def test_reloads_never_overlap(running: Running) -> None:
    running.engine.gate = threading.Event()
    threads = [threading.Thread(target=running.client.reload, args=(None,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert running.engine.entered.acquire(timeout=20)
    assert not running.engine.entered.acquire(timeout=0.05)
    running.engine.gate.set()
    for thread in threads:
        thread.join(20)
    assert [spec["id"] for spec in running.engine.specs] == [1, 2, 3, 4]


def test_metrics(running: Running) -> None:
    running.client.reload(None)
    text = running.client.metrics()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples["zeroserve_generation"] == "2"
    assert samples["zeroserve_connections_open"] == "1"
    assert samples["zeroserve_reloads_total"] == "1"
    assert samples['zeroserve_responses_total{class="2xx"}'] == "9"
    assert samples['zeroserve_requests_by_protocol_total{protocol="http/2"}'] == "2"
    assert samples["zeroserve_event_loops_running"] == "2"
    histogram = "zeroserve_request_duration_seconds"
    buckets = [samples[f'{histogram}_bucket{{le="{le}"}}'] for le in ("5e-05", "0.001", "+Inf")]
    assert buckets == ["4", "7", "9"]
    assert (samples[f"{histogram}_count"], samples[f"{histogram}_sum"]) == ("9", "0.250000000")
    for name in samples:
        family = histogram if name.startswith(histogram) else name.partition("{")[0]
        assert f"# TYPE {family} " in text


def test_drain(running: Running) -> None:
    running.client.drain()
    assert running.drains.acquire(timeout=20)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /status HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /reload HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /status SPDY\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /reload HTTP/1.1\r\nContent-Length: 1\r\n\r\n{", b"400"),
        (b"POST /reload HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", b"400"),
        (b'POST /reload HTTP/1.1\r\nContent-Length: 14\r\n\r\n{"expect": "x"', b"400"),
        (b'POST /reload HTTP/1.1\r\nContent-Length: 15\r\n\r\n{"expect": "x"}', b"400"),
        (b'POST /reload HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"nope":1}', b"400"),
        (b"x" * 20_000, b"400"),
    ],
)
def test_bad_requests_get_an_answer(running: Running, request_bytes: bytes, status: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(running.path))
        peer.sendall(request_bytes)
        answer = b""
        try:
            while chunk := peer.recv(4096):
                answer += chunk
        except ConnectionResetError:
            pass  # it closed with bytes of ours unread
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert running.client.status()["generation"] == 1
    assert len(running.engine.specs) == 1


def test_idle_peers_do_not_shut_others_out(running: Running) -> None:
    peers = [socket.socket(socket.AF_UNIX) for _ in range(CONNECTIONS_MAX - 2)]
    try:
        for peer in peers:
            peer.connect(str(running.path))
        assert running.client.status()["generation"] == 1
    finally:
        for peer in peers:
            peer.close()


def test_rights_of_the_socket(running: Running) -> None:
    assert stat.S_IMODE(running.path.stat().st_mode) == 0o600


def test_a_live_socket_is_refused_and_a_stale_one_replaced(running: Running) -> None:
    with pytest.raises(ControlRefused) as caught:
        ControlServer.claim(str(running.path))
    assert caught.value.code == "control-in-use"
    stale = running.path.with_name("stale")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    ControlServer.claim(str(stale)).close()


def test_closing_removes_only_our_own_socket(short_dir: Path) -> None:
    running = Running(short_dir)
    running.path.unlink()
    other = ControlServer.claim(str(running.path))
    assert running.server.close(20)
    assert running.path.exists()
    other.close()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no/such/c.sock", "control-unusable"),
        ("x" * 120, "control-unusable"),
        ("f", "control-in-use"),
    ],
)
def test_places_where_no_socket_can_be(short_dir: Path, name: str, code: str) -> None:
    (short_dir / "f").write_text("precious")
    with pytest.raises(ControlRefused) as caught:
        ControlServer.claim(str(short_dir / name))
    assert caught.value.code == code
    assert (short_dir / "f").read_text() == "precious"


def test_nobody_there(short_dir: Path) -> None:
    stale = short_dir / "stale"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    (short_dir / "file").write_text("")
    for path in (short_dir / "none", stale, short_dir / "file" / "below"):
        with pytest.raises(DaemonNotRunning) as caught:
            ControlClient(path, 5).status()
        assert str(path) in caught.value.message
    with pytest.raises(ControlRefused, match="longer"):
        ControlClient(short_dir / ("x" * 120), 5).status()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{x}",
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_strange_answers_are_named(short_dir: Path, answer: bytes) -> None:
    path = short_dir / "strange"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ControlRefused) as caught:
            ControlClient(path, 20).status()
        thread.join(20)
    assert caught.value.code == "control-answer"


def test_a_silent_server_times_out(short_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_dir / "silent"))
        listener.listen()
        with pytest.raises(ControlRefused, match=r"within 0\.1 s"):
            ControlClient(short_dir / "silent", 0.1).status()


def test_a_stop_waits_for_the_reload_in_the_engine(short_dir: Path) -> None:
    running = Running(short_dir)
    running.engine.gate = threading.Event()
    thread = threading.Thread(target=running.service.reload)
    thread.start()
    assert running.engine.entered.acquire(timeout=20)
    assert not running.service.stop(), "the engine was freed below a reload"
    assert not running.engine.stopped
    running.engine.gate.set()
    thread.join(20)
    wait_until(running.service.stop, what="the stop")
    assert running.engine.stopped
    assert running.server.close(20)


def test_answers_are_finished_before_the_end(short_dir: Path) -> None:
    running = Running(short_dir)
    running.engine.gate = threading.Event()
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(running.client.reload(None)))
    thread.start()
    assert running.engine.entered.acquire(timeout=20)
    assert not running.server.close(0.01)
    running.engine.gate.set()
    thread.join(20)
    assert len(answers) == 1
    assert not running.path.exists()
