"""Certificates and ECH keys over real sshd to real hosts; Go's and curl's clients accept them."""

from __future__ import annotations

import io
import json
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from support.ech import GoClient
from support.leaks import Secret, files_below, leaks
from support.material import NAME, OperatorKey, Pair, keep, make_pair
from support.process import PROGRAMS, Finished, run
from support.sshd import Farm, Server, farm

pytestmark = [pytest.mark.e2e, pytest.mark.conformance]

PUBLIC = "cover.example"
PAGE = "<title>one</title>"
CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 10s}}
  ssh:
    port: {port}
    identity: {home}/id
    known_hosts: {home}/known_hosts
    config: {home}/ssh_config
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
ech:
  cover: {{public_name: {public}, dir: age:secrets/ech, dns_ttl: 60s}}
secrets: {{recipients: [{recipient}]}}
sites:
  hello: {{src: site, checks: [{{path: /, status: 200}}]}}
environments:
  prod:
    hosts:
      web[{first}-{last}]: {{addr: "127.0.1.{{n}}"}}
    instances:
      web:
        listen: {{https: "{{addr}}:{https}"}}
        sites: {{hello: [{name}]}}
        tls: shop
        ech: cover
"""


class Place:
    """A project with secrets, the hosts it goes to, and everything that was said."""

    def __init__(self, directory: Path, hosts: Farm) -> None:
        self.directory, self.hosts = directory, hosts
        self.operator = OperatorKey.make(directory / "operator.age")
        with closing(socket.create_server((hosts.servers[0].address, 0))) as taken:
            self.https: int = taken.getsockname()[1]
        (directory / "site").mkdir()
        (directory / "site" / "index.html").write_text(PAGE)
        numbers = [each.name.removeprefix("web") for each in hosts.servers]
        text = CONFIG.format(
            port=hosts.port, home=hosts.home, public=PUBLIC, recipient=self.operator.recipient,
            first=numbers[0], last=numbers[-1], https=self.https, name=NAME,
        )  # fmt: skip
        (directory / "zsops.yaml").write_text(text)
        self.pair = self.renew()
        self.said: dict[str, bytes] = {}

    def renew(self) -> Pair:
        """Another certificate for both names."""
        self.pair = make_pair(NAME, PUBLIC)
        keep(self.directory, self.pair, self.operator.recipient)
        (self.directory / "roots.pem").write_bytes(self.pair.cert)
        return self.pair

    def zsops(self, *arguments: str, code: int = 0) -> Finished:
        argv = [PROGRAMS / "zsops", *arguments]
        done = run(argv, cwd=self.directory, env=dict(self.operator.env))
        assert done.code == code, done.stderr
        number = len(self.said)
        self.said |= {f"out {number}": done.stdout, f"err {number}": done.stderr.encode()}
        return done

    def record(self) -> str:
        """The config list that clients are to be told of, as the record has it."""
        (found,) = self._ech()
        match = re.search(r' ech="?([A-Za-z0-9+/=]+)', found["records"][0])
        assert match is not None, found
        return match[1]

    def _ech(self) -> Sequence[dict[str, list[str]]]:
        argv = [PROGRAMS / "zsops", "ech", "status", "prod", "--json"]
        done = run(argv, cwd=self.directory, env=dict(self.operator.env))
        found: list[dict[str, list[str]]] = json.loads(done.stdout)["result"]["ech"]
        return found

    def leaf(self, server: Server) -> bytes:
        """The certificate that a host shows."""
        return ssl.get_server_certificate((server.address, self.https)).encode()


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoClient:
    return GoClient(tmp_path_factory.mktemp("go-ech"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with farm(2, first=94) as hosts:
        yield Place(tmp_path, hosts)


def test_keys_reach_the_hosts_and_clients_use_them(go: GoClient, place: Place) -> None:
    place.zsops("ech", "rotate", "prod", code=2)
    place.zsops("deploy", "prod")
    place.zsops("ech", "rotate", "prod")  # the first key has arrived everywhere
    old = place.record()
    roots = place.directory / "roots.pem"
    for server in place.hosts.servers:
        at = (server.address, place.https)
        (got,) = go.fetch(at, roots=roots, name=NAME, ech=old)
        assert (got["accepted"], got["status"], got["body"]) == (True, 200, PAGE)
        assert _curl(server.address, place.https, roots, old) == PAGE

    # A key beside: who holds the old config is still served; then the new one is told of.
    place.zsops("ech", "rotate", "prod", "--phase", "add")
    assert place.record() != old
    place.zsops("ech", "rotate", "prod", "--phase", "promote")
    new = place.record()
    for server in place.hosts.servers:
        for ech in (old, new):
            (got,) = go.fetch((server.address, place.https), roots=roots, name=NAME, ech=ech)
            assert (got["accepted"], got["body"]) == (True, PAGE)

    # The old key goes: who still holds its config is refused once, and given the new one.
    place.zsops("ech", "rotate", "prod", "--phase", "retire")
    for server in place.hosts.servers:
        first, again = go.fetch((server.address, place.https), roots=roots, name=NAME, ech=old)
        assert "rejected" in first["error"]
        assert first["retry"] == new
        assert (again["accepted"], again["body"]) == (True, PAGE)

    former = place.pair
    place.renew()
    place.zsops("tls", "rotate", "prod")
    for server in place.hosts.servers:
        assert place.leaf(server) == place.pair.cert
        (got,) = go.fetch((server.address, place.https), roots=roots, name=NAME, ech=new)
        assert (got["accepted"], got["body"]) == (True, PAGE)
    assert place.zsops("tls", "status", "prod").code == 0
    pairs = {"the former key": former, "the key": place.pair}
    keys = [Secret(name, pair.key, (pair.der, pair.scalar)) for name, pair in pairs.items()]
    assert leaks(keys, place.said | _elsewhere(place)) == []


def _elsewhere(place: Place) -> dict[str, bytes]:
    """Every file of the hosts that holds no key by right."""
    home = re.compile(r"i/web/(releases/[^/]+/(tls/key|ech/[^/]+)\.pem|secrets/key\.pem)")
    return {
        f"{server.name}/{path}": data
        for server in place.hosts.servers
        for path, data in files_below(server.root).items()
        if home.fullmatch(path) is None
    }


def _curl(address: str, port: int, roots: Path, ech: str) -> str:
    curl = pytest.importorskip("curl_cffi.curl", reason="curl_cffi is absent")
    const = pytest.importorskip("curl_cffi.const")
    handle, body = curl.Curl(), io.BytesIO()
    handle.setopt(const.CurlOpt.URL, f"https://{NAME}:{port}/".encode())
    handle.setopt(const.CurlOpt.RESOLVE, [f"{NAME}:{port}:{address}".encode()])
    handle.setopt(const.CurlOpt.CAINFO, str(roots).encode())
    handle.setopt(const.CurlOpt.ECH, b"ecl:" + ech.encode())  # fails where it is not accepted
    handle.setopt(const.CurlOpt.WRITEDATA, body)
    handle.perform()
    handle.close()
    return body.getvalue().decode()
