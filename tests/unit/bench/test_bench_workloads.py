"""Who does other work is not measured: a server of Python's, right and wrong."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.workloads import JSON, SIZES, WORKLOADS, Ground, Workload, check, lay

BY_NAME = {each.name: each for each in WORKLOADS}
HEADERS = {"X-Bench": "1", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return lay(tmp_path_factory.mktemp("ground"))


@contextmanager
def serving(
    ground: Ground, headers: dict[str, str], *, alpn: str = "http/1.1", tickets: int = 2
) -> Iterator[int]:
    """A port at which the files and the JSON are, with these headers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            file = ground.folder / self.path.lstrip("/")
            body = file.read_bytes() if file.is_file() else JSON
            self.send_response(200)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ground.cert, ground.key)
    context.set_alpn_protocols([alpn])
    context.num_tickets = tickets
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("name", ["static-174", "header", "json", "handshake", "resume"])
def test_the_right_work_is_accepted(ground: Ground, name: str) -> None:
    with serving(ground, HEADERS) as port:
        check(ground, port, BY_NAME[name])


def test_http2_is_accepted_where_it_is_chosen(ground: Ground) -> None:
    with serving(ground, {}, alpn="h2") as port:
        check(ground, port, BY_NAME["h2-174"])


@pytest.mark.parametrize(
    ("workload", "why"),
    [
        (BY_NAME["header"], "did not set the header"),
        (BY_NAME["json"], "did not say that it is JSON"),
        (BY_NAME["h2-174"], "did not choose HTTP/2"),
        (BY_NAME["resume"], "did not resume a session"),
    ],
)
def test_other_work_is_refused(ground: Ground, workload: Workload, why: str) -> None:
    with serving(ground, {}, tickets=0) as port, pytest.raises(RuntimeError, match=why):
        check(ground, port, workload)


def test_other_bytes_are_refused(ground: Ground, tmp_path: Path) -> None:
    other = Ground(tmp_path)
    other.folder.mkdir()
    for path, size in SIZES.items():
        (other.folder / path.lstrip("/")).write_bytes(bytes(size))
    for each in (ground.cert, ground.key):
        (tmp_path / each.name).write_bytes(each.read_bytes())
    with serving(other, HEADERS) as port, pytest.raises(RuntimeError, match="not what is wanted"):
        check(ground, port, BY_NAME["static-174"])
