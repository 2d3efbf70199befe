"""Two certificates on one instance with the real server: each name gets its own."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.material import Pair, keep, make_pair
from support.tls_project import TlsProject

pytestmark = pytest.mark.e2e

SHOP, BLOG = "shop.example", "blog.example"
CONFIG = """\
version: 1
project: demo
defaults: {{health: {{interval: 50ms, timeout: 10s}}}}
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
  blog: {{cert: secrets/blog.crt, key: age:secrets/blog.key.age}}
sites:
  shop: {{src: shop, checks: [{{path: /, status: 200}}]}}
  blog: {{src: blog, checks: [{{path: /, status: 200}}]}}
environments:
  local:
    instances:
      web:
        listen: {{https: "127.0.0.1:{port}"}}
        sites: {{shop: [shop.example], blog: [blog.example]}}
        tls: [shop, blog]
"""


class Place(TlsProject):
    """A project with two sites and two certificates, and its host."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (directory / "zsops.yaml").write_text(CONFIG.format(port=self.port))
        self.pairs: dict[str, Pair] = {}
        for name in ("shop", "blog"):
            (directory / name).mkdir()
            (directory / name / "index.html").write_text(f"<title>{name}</title>")
            self.renew(name)

    def renew(self, name: str) -> None:
        pair = make_pair(f"{name}.example")
        keep(self.directory, pair, self.operator.recipient, name=name)
        self.pairs[f"{name}.example"] = pair

    def page(self, name: str) -> bytes:
        """The front page under a name, which must show that name's newest certificate."""
        context = ssl.create_default_context(cadata=self.pairs[name].cert.decode())
        link = socket.create_connection(("127.0.0.1", self.port), 20)
        with closing(link), context.wrap_socket(link, server_hostname=name) as secured:
            secured.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := secured.recv(65536):
                answer += chunk
        return answer.partition(b"\r\n\r\n")[2]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.stop()


def test_each_name_has_its_certificate_and_each_is_renewed_alone(place: Place) -> None:
    done = place.zsops("deploy", "--yes")
    assert done.code == 0, done.stderr
    assert place.page(SHOP) == b"<title>shop</title>"
    assert place.page(BLOG) == b"<title>blog</title>"

    place.renew("blog")
    outdated = place.zsops("tls", "status", "--json")
    assert outdated.code == 13
    rotated = place.zsops("tls", "rotate", "--tls", "blog")
    assert rotated.code == 0, rotated.stderr
    assert place.page(BLOG) == b"<title>blog</title>"
    assert place.page(SHOP) == b"<title>shop</title>"

    found = place.zsops("tls", "status", "--json")
    assert found.code == 0, found.stderr
    rows = json.loads(found.stdout)["result"]["certificates"]
    assert [(row["name"], row["facts"]["names"], row["state"]) for row in rows] == [
        ("shop", [SHOP], "good"),
        ("blog", [BLOG], "good"),
    ]
    # One certificate less: what is left serves its name, and the other is told of no more.
    file = place.directory / "zsops.yaml"
    text = file.read_text().replace("tls: [shop, blog]", "tls: shop")
    file.write_text(text.replace(", blog: [blog.example]", ""))
    plan = place.zsops("plan")
    assert "tls blog: blog.example  90 d -> " in plan.text
    assert place.zsops("deploy", "--yes").code == 0
    assert place.page(SHOP) == b"<title>shop</title>"
