"""The metrics listener: one page, to whoever asks properly, and never for long."""

import socket
import threading
from collections.abc import Iterator

import pytest
from support.client import Connection

from zeroserve.control import metrics_server
from zeroserve.control.acceptor import CONNECTIONS_MAX
from zeroserve.control.metrics_server import MetricsServer

PAGE = "# TYPE a counter\na 1\n"


class Running:
    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.bug: Exception | None = None
        self.server = MetricsServer(self.render)
        self.server.open(listener)

    def render(self) -> str:
        if self.bug is not None:
            raise self.bug
        return PAGE

    def connect(self) -> Connection:
        return Connection.plain(self.address)


@pytest.fixture
def running() -> Iterator[Running]:
    one = Running()
    yield one
    assert one.server.close(20)


@pytest.mark.parametrize("path", ["/metrics", "/metrics?match=x"])
def test_the_page(running: Running, path: str) -> None:
    with running.connect() as connection:
        answer = connection.ask(path, fields={"Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"})
        assert (answer.status, answer.body.decode()) == (200, PAGE)
        assert answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer["connection"] == "close"
        assert connection.is_closed()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 405),
        (b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /metrics HTTP/2\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b"\r\n\r\n", 400),
    ],
)
def test_everything_else_is_refused(running: Running, sent: bytes, status: int) -> None:
    with running.connect() as connection:
        connection.send(sent)
        assert connection.read_head().status == status


def test_a_bug_is_an_answer(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    running.bug = RuntimeError("oh")
    with running.connect() as connection:
        assert connection.ask("/metrics").status == 500
    assert "error[engine-bug]: metrics: RuntimeError('oh')" in capsys.readouterr().err
    running.bug = None
    with running.connect() as connection:
        assert connection.ask("/metrics").status == 200


def test_silent_peers_are_cut_and_others_get_their_turn(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "REQUEST_SECONDS", 0.3)
    silent = [running.connect() for _ in range(CONNECTIONS_MAX)]
    with running.connect() as connection:
        assert connection.ask("/metrics").status == 200
    for one in silent:
        assert one.is_closed()
        one.close()


def test_many_at_once(running: Running) -> None:
    answers: list[int] = []

    def ask() -> None:
        with running.connect() as connection:
            answers.append(connection.ask("/metrics").status)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * 40
