"""Connections that are not ours go where they belong, byte for byte and with the same end.

What decides is the first flight, and nothing of ours is sent before that.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.ech import make_key
from support.polling import wait_until
from support.recorded_upstream import RESET, RecordedUpstream
from support.server import Server

pytestmark = pytest.mark.e2e

HIDDEN, PUBLIC = "hidden.test", "public.test"
ANSWER = b"\x15\x03\x03\x00\x02\x02\x28whatever the other server says"
VECTORS = Path(__file__).parents[2] / "zeroserve/engine/proto/tests/vectors/ja4-hellos.jsonl"


@pytest.fixture
def hidden(tmp_path: Path) -> Certificate:
    pair = Certificate.make(tmp_path / HIDDEN, (HIDDEN,))
    (tmp_path / "certs").mkdir()
    both = pair.cert.read_bytes() + pair.key.read_bytes()
    (tmp_path / "certs" / "hidden.pem").write_bytes(both)
    make_key(tmp_path / "keys" / "1", PUBLIC)
    return pair


def start(root: Path, tar: Path, upstream: str, *flags: str) -> Server:
    tls = ("--tls-addr", "127.0.0.1:0", "--cert-dir", root / "certs")
    ech = ("--ech-key", root / "keys", "--ech-relay", upstream)
    return Server(*tls, *ech, *flags, tar, place=root / "server")


def hello(name: str | None, *, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """The first flight of Python's client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = min(maximum, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = maximum
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def message(flight: bytes) -> bytes:
    return flight[5:]


def records(content: bytes, step: int) -> bytes:
    """The same message in records of `step` bytes each."""
    parts = [content[at : at + step] for at in range(0, len(content), step)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def grease_hellos() -> Iterator[bytes]:
    """Captured hellos with ECH that nobody here can decrypt."""
    for line in VECTORS.read_text().splitlines():
        captured = bytes.fromhex(json.loads(line)["hello"])
        if b"\xfe\x0d" in captured:
            yield b"\x16\x03\x01" + len(captured).to_bytes(2, "big") + captured


def cases() -> dict[str, bytes]:
    public = hello(PUBLIC)
    return {
        "public name": public,
        "unknown name": hello("other.test"),
        "no name": hello(None),
        "TLS 1.2 only": hello(HIDDEN, maximum=ssl.TLSVersion.TLSv1_2),
        "not TLS": b"GET / HTTP/1.1\r\nHost: public.test\r\n\r\n",
        "one byte of text": b"x",
        "records of 1 byte": records(message(public), 1),
        "two records": records(message(public), 200),
        "bytes behind the hello": public + b"\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x03abc",
        "an empty record": b"\x16\x03\x01\x00\x00",
        "a message beyond reason": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16380),
        "broken lengths": public[:60] + b"\xff" + public[61:],
        "ECH that is not ours": next(grease_hellos()),
    }


@pytest.mark.parametrize("case", cases())
def test_every_case_goes_byte_for_byte(
    tmp_path: Path, hidden: Certificate, hello_tar: Path, case: str
) -> None:
    sent = cases()[case]
    with (
        RecordedUpstream(ANSWER, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address) as server,
        Connection.plain(server.address()) as client,
    ):
        client.send(sent)
        assert client.read_bytes(len(ANSWER)) == ANSWER
        client.send(b"more")  # later bytes go on, whatever they are
        client.peer.shutdown(socket.SHUT_WR)
        upstream.wait_ended()
        assert client.read_to_end() == b""
        assert bytes(upstream.received[0]) == sent + b"more"


def test_a_hello_that_comes_byte_by_byte(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    sent = hello(PUBLIC)
    with (
        RecordedUpstream(ANSWER, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address) as server,
        Connection.plain(server.address()) as client,
    ):
        client.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            client.send(bytes([byte]))
        assert client.read_bytes(len(ANSWER)) == ANSWER
        assert bytes(upstream.received[0]) == sent


def test_a_client_that_stops_in_the_middle_is_passed_on(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    sent = hello(PUBLIC)[:100]
    with (
        RecordedUpstream(ANSWER, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address, "--handshake-timeout", "1") as server,
    ):
        with Connection.plain(server.address()) as client:
            client.send(sent)
            client.peer.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == ANSWER
        with Connection.plain(server.address()) as waiting:
            waiting.send(sent)  # and then nothing: after the time limit, what there is
            assert waiting.read_bytes(len(ANSWER)) == ANSWER
        upstream.wait_ended(2)
        assert [bytes(one) for one in upstream.received] == [sent, sent]


def test_a_reset_is_passed_on_in_both_directions(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    sent = hello(PUBLIC)
    with (
        RecordedUpstream(ANSWER, after=len(sent), reset=True) as cutting,
        start(tmp_path, hello_tar, cutting.address) as server,
        Connection.plain(server.address()) as client,
    ):
        client.send(sent)
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    with (
        RecordedUpstream(ANSWER, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address) as server,
    ):
        client = Connection.plain(server.address())
        client.send(sent)
        assert client.read_bytes(len(ANSWER)) == ANSWER
        client.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
        upstream.wait_ended()


def test_large_answers_pass_and_ours_are_still_ours(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    sent = hello(PUBLIC)
    large = bytes(range(256)) * 40_000
    with (
        RecordedUpstream(large, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address) as server,
    ):
        with Connection.plain(server.address()) as client:
            client.send(sent)
            assert client.read_bytes(len(large)) == large
        with Connection.tls(server.address(), hidden.context(), name=HIDDEN) as asking:
            asking.send(request(host=HIDDEN))
            assert asking.read_answer().status == 200
        assert len(upstream.received) == 1, "ours was not relayed"
        assert "zeroserve_relayed_total 1" in server.control.metrics()


def test_a_client_can_relay_hosts_named_in_clear(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    sent = hello(HIDDEN)
    with (
        RecordedUpstream(ANSWER, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address, "--ech-clear", "relay") as server,
        Connection.plain(server.address()) as client,
    ):
        client.send(sent)
        assert client.read_bytes(len(ANSWER)) == ANSWER
        assert bytes(upstream.received[0]) == sent


def logging(place: Path) -> tuple[str, ...]:
    return ("--log-format", "json", "--access-log", str(place / "access.log"))


def logged(place: Path) -> dict[str, object]:
    """The one line of the access log, once it is there."""
    log = place / "access.log"
    wait_until(lambda: log.read_text().endswith("\n"), timeout_s=30, what="a line in the log")
    line: dict[str, object] = json.loads(log.read_text())
    return line


def test_the_log_marks_what_was_relayed_and_knows_no_name(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    sent = hello("somebody-elses.test")
    with (
        RecordedUpstream(ANSWER, after=len(sent)) as upstream,
        start(tmp_path, hello_tar, upstream.address, *logging(tmp_path)) as server,
    ):
        with Connection.plain(server.address()) as client:
            client.send(sent)
            assert client.read_bytes(len(ANSWER)) == ANSWER
            client.peer.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == b""
        line = logged(tmp_path)
        told = {key: line[key] for key in ("scheme", "method", "target", "status", "bytes")}
        assert told == {
            "scheme": "tls",
            "method": "RELAY",
            "target": upstream.address,
            "status": 200,
            "bytes": len(ANSWER),
        }
        assert line["peer"] == "127.0.0.1"
        assert "somebody-elses" not in json.dumps(line)


def test_nobody_upstream_is_a_plain_close(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    with (
        start(tmp_path, hello_tar, nobody, *logging(tmp_path)) as server,
        Connection.plain(server.address()) as client,
    ):
        client.send(hello(PUBLIC))
        assert client.read_to_end() == b""
        line = logged(tmp_path)
        assert (line["method"], line["status"], line["bytes"]) == ("RELAY", 502, 0)


def test_our_own_address_is_no_upstream(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tls = ("--tls-addr", f"0.0.0.0:{port}", "--cert-dir", tmp_path / "certs")
    ech = ("--ech-key", tmp_path / "keys", "--ech-relay", f"127.0.0.1:{port}")
    with Server(*tls, *ech, hello_tar, place=tmp_path / "server") as server:
        with Connection.plain(("127.0.0.1", port)) as client:
            client.send(hello(PUBLIC))
            assert client.read_to_end() == b""
        wait_until(lambda: server.control.status()["stats"]["connections_open"] == 0)  # type: ignore[index]
        assert server.control.status()["stats"]["connections"] == 1  # type: ignore[index]


def test_a_circle_through_another_host_ends(
    tmp_path: Path, hidden: Certificate, hello_tar: Path
) -> None:
    """The upstream does not look like us and leads back to us: a forwarder, as a NAT would be."""
    listener = socket.create_server(("127.0.0.1", 0))
    forwarder = f"127.0.0.1:{listener.getsockname()[1]}"
    with start(tmp_path, hello_tar, forwarder) as server:
        pairs: list[socket.socket] = []

        def forward() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                back = socket.create_connection(server.address(), 30)
                pairs.extend((peer, back))
                for source, target in ((peer, back), (back, peer)):
                    threading.Thread(target=copy, args=(source, target), daemon=True).start()

        threading.Thread(target=forward, daemon=True).start()
        with Connection.plain(server.address()) as client:
            client.send(hello(PUBLIC))
            assert client.read_to_end() == b""
        assert len(pairs) <= 2 * 8
        listener.close()
        for one in pairs:
            one.close()


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
