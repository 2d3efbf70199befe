"""`zsops ech` from the first key to the retirement of it, against a real host and a name server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.dns_server import DnsServer
from support.material import NAME, OperatorKey, keep, make_pair
from support.process import PROGRAMS, Finished, run

from zsops.transport.local import LocalTransport

pytestmark = pytest.mark.e2e

CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 10s}}
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
ech:
  cover: {{public_name: cover.example, dir: age:secrets/ech, dns_ttl: 60s}}
secrets: {{recipients: [{recipient}]}}
sites:
  hello: {{src: site}}
environments:
  local:
    instances:
      web:
        listen: {{https: "127.0.0.1:{port}"}}
        sites: {{hello: [{name}]}}
        tls: shop
        ech: cover
"""


@dataclass
class Place:
    """A project and its host."""

    directory: Path
    operator: OperatorKey
    port: int

    def zsops(self, *arguments: str) -> Finished:
        env = {"ZSOPS_ROOT": str(self.directory / "state"), **self.operator.env}
        return run([PROGRAMS / "zsops", *arguments], cwd=self.directory, env=env)

    def ech(self) -> dict[str, Any]:
        """What `ech status` says of the only entry."""
        (found,) = json.loads(self.zsops("ech", "status", "--json").stdout)["result"]["ech"]
        assert isinstance(found, dict)
        return found

    def roles(self) -> list[str]:
        return [each["role"] for each in self.ech()["keys"]]

    def in_service(self) -> list[str]:
        """ECH configs of the release in service, the newest last."""
        with LocalTransport(self.directory / "state").connect() as session:
            current = session.observe("web").current
        assert current is not None
        return [each.config for each in current.ech]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    operator = OperatorKey.make(tmp_path / "operator.age")
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<title>one</title>")
    text = CONFIG.format(port=port, name=NAME, recipient=operator.recipient)
    (tmp_path / "zsops.yaml").write_text(text)
    keep(tmp_path, make_pair(NAME, "cover.example"), operator.recipient)
    yield Place(tmp_path, operator, port)
    if (tmp_path / "state").exists():
        with LocalTransport(tmp_path / "state").connect() as session:
            session.stop_daemon("web")


def test_a_rotation_from_the_first_key_to_its_retirement(place: Place) -> None:
    refused = place.zsops("deploy", "--yes")
    assert refused.code == 2
    assert "`zsops ech rotate` makes the first one" in refused.stderr
    place.zsops("ech", "rotate")  # makes the key; there is no release yet to carry it
    assert place.zsops("deploy", "--yes").code == 0
    assert place.zsops("ech", "rotate").code == 0
    (first,) = place.in_service()
    assert place.roles() == ["newest"]

    added = place.zsops("ech", "rotate", "--phase", "add")
    assert added.code == 0
    assert place.roles() == ["beside", "newest"]
    beside, newest = place.in_service()
    assert newest == first
    (line,) = place.ech()["records"]
    assert f"publish: {line}" in added.stderr
    assert line.startswith(f"_{place.port}._https.{NAME}. 60 IN HTTPS 1 {NAME}. ")

    with DnsServer() as dns:
        ask = ("--phase", "promote", "--dns-check", "--nameserver", dns.address)
        early = place.zsops("ech", "rotate", *ask)
        assert early.code == 2
        assert "DNS does not tell of the key yet" in early.stderr
        assert place.zsops("ech", "status", "--dns-check", "--nameserver", dns.address).code == 13
        dns.records.append(line)
        assert place.zsops("ech", "status", "--dns-check", "--nameserver", dns.address).code == 0
        assert place.zsops("ech", "rotate", *ask).code == 0
    assert place.in_service() == [first, beside]
    assert place.roles() == ["old", "newest"]

    assert place.zsops("ech", "rotate", "--phase", "retire").code == 0
    assert place.in_service() == [beside]
    assert place.zsops("tls", "status").code == 0
    assert len(list((place.directory / "secrets" / "ech").glob("*.age"))) == 1
