"""New certificates again and again while clients shake hands: none fails, each sees one of ours."""

from __future__ import annotations

import hashlib
import http.client
import multiprocessing
import os
import socket
import ssl
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from support.material import NAME, Pair, keep, make_pair
from support.tls_project import TlsProject

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]

ROTATIONS = 5 * (10 if os.environ.get("ZEROSERVE_SOAK") else 1)
CLIENTS = 2
SPAWN = multiprocessing.get_context("spawn")
CONFIG = """\
version: 1
project: demo
defaults: {{health: {{interval: 50ms, timeout: 20s}}}}
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
sites:
  hello: {{src: site}}
environments:
  local:
    instances:
      web: {{listen: {{https: "127.0.0.1:{port}"}}, sites: {{hello: [{name}]}}, tls: shop}}
"""


def _shake_hands(port: int, anchor: str, stop: Event, result: Connection) -> None:
    """New connections, one request on each, until told to stop; leaf digests in their order."""
    context = ssl.create_default_context(cafile=anchor)
    leaves: list[str] = []
    count, failure = 0, ""
    try:
        while not stop.is_set():
            with (
                socket.create_connection(("127.0.0.1", port), 60) as link,
                context.wrap_socket(link, server_hostname=NAME) as secured,
            ):
                der = secured.getpeercert(binary_form=True) or b""
                leaf = hashlib.sha256(der).hexdigest()
                if leaves[-1:] != [leaf]:
                    leaves.append(leaf)
                connection = http.client.HTTPConnection(NAME, timeout=60)
                connection.sock = secured
                connection.request("GET", "/index.html")
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (200, b"<title>one</title>")
            count += 1
    except BaseException:
        failure = f"after {count} connections:\n{traceback.format_exc()}"
    result.send((count, leaves, failure))


class Place(TlsProject):
    """A project whose certificates all come from one issuer, which clients trust."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.issuer: Pair = make_pair("issuer.example", ca=True)
        self.anchor = directory / "issuer.crt"
        self.anchor.write_bytes(self.issuer.cert)
        (directory / "site").mkdir()
        (directory / "site" / "index.html").write_text("<title>one</title>")
        (directory / "zsops.yaml").write_text(CONFIG.format(port=self.port, name=NAME))

    def renew(self) -> str:
        """A new certificate; the digest of its leaf."""
        pair = make_pair(NAME, issuer=self.issuer)
        keep(self.directory, pair, self.operator.recipient)
        leaf = pair.cert.decode().partition("-----END CERTIFICATE-----")
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf[0] + leaf[1])).hexdigest()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.stop()


def test_no_handshake_fails_while_certificates_change(place: Place) -> None:
    wanted = [place.renew()]
    first = place.zsops("deploy", "--yes")
    assert first.code == 0, first.stderr
    stop, ends, clients = SPAWN.Event(), [], []
    for _ in range(CLIENTS):
        mine, theirs = SPAWN.Pipe(duplex=False)
        ends.append(mine)
        arguments = (place.port, str(place.anchor), stop, theirs)
        clients.append(SPAWN.Process(target=_shake_hands, args=arguments, daemon=True))
        clients[-1].start()
    try:
        for _ in range(ROTATIONS):
            wanted.append(place.renew())
            rotated = place.zsops("tls", "rotate")
            assert rotated.code == 0, rotated.stderr
    finally:
        stop.set()
    for end in ends:
        assert end.poll(60)
        count, leaves, failure = end.recv()
        print(f"{count} handshakes over {ROTATIONS} rotations, {len(leaves)} certificates seen")
        assert failure == ""
        assert count > ROTATIONS
        # In their order: no client ever sees an older certificate again.
        assert leaves == [each for each in wanted if each in leaves]
        assert leaves[-1] == wanted[-1]
    for client in clients:
        client.join(30)
