"""Many names on one address: each client gets the certificate for the name it asks for, its tickets
open that name only, and a directory that is changed is taken over whole or not at all.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import ssl
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.ech import make_key
from support.process import run
from support.server import Server

pytestmark = pytest.mark.e2e

SPAWN = multiprocessing.get_context("spawn")


def make_directory(place: Path, names: tuple[str, ...]) -> dict[str, Certificate]:
    """A certificate for each name: `NAME.pem` with its key in a file of another name."""
    made = {}
    (place / "certs").mkdir(parents=True)
    for number, name in enumerate(names):
        pair = Certificate.make(place / f"pair-{number}", (name,))
        (place / "certs" / f"{number}.pem").write_bytes(pair.cert.read_bytes())
        (place / "certs" / f"key-{number}").write_bytes(pair.key.read_bytes())
        made[name] = pair
    return made


def start(place: Path, tar: Path, *flags: str | Path) -> Server:
    return Server(
        *("--tls-addr", "127.0.0.1:0", "--cert-dir", place / "certs", *flags, tar), place=place
    )


def shown(address: tuple[str, int], context: ssl.SSLContext, name: str | None) -> bytes:
    """The DER of the certificate that a client gets."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Connection.tls(address, context, name=name) as connection:
        assert isinstance(connection.peer, ssl.SSLSocket)
        der = connection.peer.getpeercert(binary_form=True)
        assert der is not None
        return der


def client() -> ssl.SSLContext:
    return ssl.create_default_context()


def test_each_name_gets_its_own_certificate(tmp_path: Path, hello_tar: Path) -> None:
    made = make_directory(tmp_path, ("a.test", "*.b.test", "b.test"))
    with start(tmp_path, hello_tar) as server:
        for name, expected in (
            ("a.test", "a.test"),
            ("A.TEST", "a.test"),
            ("www.b.test", "*.b.test"),
            ("b.test", "b.test"),
            (None, "a.test"),
        ):
            assert shown(server.address(), client(), name) == made[expected].der, name
        for name in ("other.test", "x.www.b.test"):
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                shown(server.address(), client(), name)
        # And a client that checks everything is content.
        with Connection.tls(server.address(), made["a.test"].context(), name="a.test") as asking:
            asking.send(request(host="a.test"))
            assert asking.read_answer().status == 200


def test_openssl_gets_the_response_that_lies_beside(tmp_path: Path, hello_tar: Path) -> None:
    make_directory(tmp_path, ("a.test",))
    # An OCSPResponse of status tryLater, RFC 6960 section 4.2.1.
    (tmp_path / "certs" / "0.ocsp").write_bytes(b"\x30\x03\x0a\x01\x03")
    with start(tmp_path, hello_tar) as server:
        host, port = server.address()
        got = run(["openssl", "s_client", "-connect", f"{host}:{port}", "-servername", "a.test",
                   "-status"])  # fmt: skip
        assert "OCSP Response Status: trylater (0x3)" in got.text, got.text


def test_a_ticket_opens_its_own_name_on_every_loop(tmp_path: Path, hello_tar: Path) -> None:
    make_directory(tmp_path, ("a.test", "b.test"))
    context = client()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def meet(server: Server, name: str, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        plain = socket.create_connection(server.address(), 30)
        peer = context.wrap_socket(plain, server_hostname=name, session=session)
        connection = Connection(peer)
        connection.send(request(host=name))
        assert connection.read_answer().status == 200  # the tickets come with it
        return peer

    with start(tmp_path, hello_tar, "--threads", "2") as server:
        first = meet(server, "a.test", None)
        session = first.session
        assert not first.session_reused
        first.close()
        for _ in range(6):  # the kernel deals the loops out
            with meet(server, "a.test", session) as again:
                assert again.session_reused
        with meet(server, "b.test", session) as other:
            assert not other.session_reused
        server.program.send(signal.SIGHUP)
        server.program.wait_said("reload 1: serving", 30)
        with meet(server, "a.test", session) as after:
            assert after.session_reused, "a reload keeps the keys of tickets"


def test_a_changed_directory_is_taken_over_whole(tmp_path: Path, hello_tar: Path) -> None:
    made = make_directory(tmp_path, ("a.test",))
    certs = tmp_path / "certs"
    with start(tmp_path, hello_tar) as server:
        renewed = Certificate.make(tmp_path / "renewed", ("a.test",))
        (certs / "0.pem").write_bytes(renewed.cert.read_bytes())
        outcome = server.control.reload(None)
        assert not outcome.ok
        assert "matched any private key" in (outcome.error or "")
        assert shown(server.address(), client(), "a.test") == made["a.test"].der
        (certs / "key-0").write_bytes(renewed.key.read_bytes())
        assert server.control.reload(None).ok
        assert shown(server.address(), client(), "a.test") == renewed.der
        extra = Certificate.make(tmp_path / "extra", ("c.test",))
        (certs / "9.pem").write_bytes(extra.cert.read_bytes())
        assert server.control.reload(None).ok
        assert "no private key belongs to the certificate for `c.test`" in server.said


def test_the_log_tells_names_and_fingerprint(tmp_path: Path, hello_tar: Path) -> None:
    made = make_directory(tmp_path, ("a.test",))
    with start(tmp_path, hello_tar, "--log-format", "json") as server:
        with Connection.tls(server.address(), made["a.test"].context(), name="a.test") as asking:
            asking.send(request(host="a.test"))
            asking.read_answer()
        server.program.wait_said('"ja4"', 30)
        line = json.loads(next(one for one in server.said.splitlines() if '"ja4"' in one))
        assert (line["sni"], line["ech"], line["sni_outer"]) == ("a.test", None, None)
        assert line["ja4"].startswith("t13d")
        assert len(line["ja4"]) == 36


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no TLS certificate PEMs found in"),
        ({"key": "key"}, "no TLS certificate PEMs found in"),
        ({"cert": "cert"}, "no TLS private key PEMs found in"),
        ({"cert": "cert", "key": "other"}, "matched any private key"),
        ({"cert": "cert", "key": "key", "x.pem": "broken"}, "x.pem:1` is not a certificate"),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, hello_tar: Path, files: dict[str, str], said: str
) -> None:
    pair = Certificate.make(tmp_path / "pair", ("a.test",))
    other = Certificate.make(tmp_path / "other", ("a.test",))
    contents = {
        "cert": pair.cert.read_bytes(),
        "key": pair.key.read_bytes(),
        "other": other.key.read_bytes(),
        "broken": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    (tmp_path / "certs").mkdir()
    for name, content in files.items():
        (tmp_path / "certs" / name).write_bytes(contents[content])
    server = Server(
        *("--tls-addr", "127.0.0.1:0", "--cert-dir", tmp_path / "certs", hello_tar),
        place=tmp_path / "server",
        wait=False,
    )
    assert server.program.wait(60) == 1
    assert said in server.said


#: New connections a second, by four processes, and how many in all.
PACE, PROCESSES = 200, 4
CONNECTIONS = 1000 * (10 if os.environ.get("ZEROSERVE_SOAK") else 1)
RELOAD_EVERY_S = 0.25


def connect_at_pace(address: tuple[str, int], result: Pipe) -> None:
    """A full handshake every `PROCESSES / PACE` seconds; a late one does not wait for its time."""
    leaves: set[bytes] = set()
    context = client()
    failures: list[str] = []
    begun = time.monotonic()
    for number in range(CONNECTIONS // PROCESSES):
        time.sleep(max(0.0, begun + number * PROCESSES / PACE - time.monotonic()))
        try:
            leaves.add(shown(address, context, "a.test"))
        except OSError as error:
            failures.append(repr(error))
    result.send((leaves, failures, time.monotonic() - begun))


@pytest.mark.xdist_group("load")
def test_certificates_and_keys_change_under_200_new_connections_a_second(
    tmp_path: Path, hello_tar: Path
) -> None:
    """Each handshake succeeds, with one of the certificates that were in service meanwhile."""
    (tmp_path / "certs").mkdir()
    made: set[bytes] = set()

    def switch(number: int) -> None:
        pair = Certificate.make(tmp_path / f"pair-{number}", ("a.test",))
        fresh = tmp_path / f"fresh-{number}"
        fresh.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
        fresh.rename(tmp_path / "certs" / "a.pem")
        make_key(tmp_path / "keys" / f"{number:03}", "public.test")
        made.add(pair.der)

    switch(0)
    flags = ("--threads", "2", "--ech-key", tmp_path / "keys")
    with start(tmp_path, hello_tar, *flags) as server:
        pipes = [SPAWN.Pipe() for _ in range(PROCESSES)]
        clients = [
            SPAWN.Process(target=connect_at_pace, args=(server.address(), theirs), daemon=True)
            for _, theirs in pipes
        ]
        for each in clients:
            each.start()
        reloads = 0
        while any(each.is_alive() for each in clients):
            switch(reloads + 1)
            assert server.control.reload(None).ok
            reloads += 1
            clients[0].join(RELOAD_EVERY_S)
        outcomes = [ours.recv() for ours, _ in pipes]
        for each in clients:
            each.join()
        pace = CONNECTIONS / max(took for _, _, took in outcomes)
        print(f"{CONNECTIONS} connections, {pace:.0f} a second, {reloads} reloads")
        assert [failures for _, failures, _ in outcomes] == [[]] * PROCESSES
        seen = set().union(*(leaves for leaves, _, _ in outcomes))
        assert len(seen) > 1
        assert seen <= made
