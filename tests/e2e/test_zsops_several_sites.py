"""Two sites on one real server: each answers for its own names and rules, and goes back alone."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.process import PROGRAMS, Finished, run

from zsops.transport.local import LocalTransport

pytestmark = pytest.mark.e2e

CONFIG = """\
version: 1
project: demo
defaults: {{health: {{interval: 50ms, timeout: 10s}}}}
sites:
  blog: {{src: blog, checks: [{{path: /old, status: 301}}]}}
  docs: {{src: docs, checks: [{{path: /old, status: 404}}]}}
environments:
  local:
    instances:
      web:
        listen: {{https: "127.0.0.1:{port}"}}
        sites: {{blog: [blog.example, www.blog.example], docs: [docs.example]}}
"""


@dataclass
class Place:
    """A project with two sites, and its host."""

    directory: Path
    port: int

    def zsops(self, *arguments: str) -> Finished:
        env = {"ZSOPS_ROOT": str(self.directory / "state")}
        return run([PROGRAMS / "zsops", *arguments], cwd=self.directory, env=env)

    def write(self, site: str, text: str) -> None:
        (self.directory / site).mkdir(exist_ok=True)
        (self.directory / site / "index.html").write_text(f"<title>{text}</title>")

    def get(self, host: str, path: str = "/") -> tuple[int, dict[str, str], str]:
        """An answer under a name, verified against the certificate of the release."""
        trusted = self.directory / "state/i/web/current/tls/cert.pem"
        context = ssl.create_default_context(cafile=str(trusted))
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as link,
            context.wrap_socket(link, server_hostname=host) as secured,
        ):
            connection = http.client.HTTPConnection(host, timeout=20)
            connection.sock = secured
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    (tmp_path / "zsops.yaml").write_text(CONFIG.format(port=port))
    made = Place(tmp_path, port)
    made.write("blog", "blog 1")
    made.write("docs", "docs 1")
    (tmp_path / "blog" / "_redirects").write_text("/old /new 301\n")
    (tmp_path / "blog" / "_headers").write_text("/*\n  X-Site: blog\n")
    yield made
    if (tmp_path / "state").exists():
        with LocalTransport(tmp_path / "state").connect() as session:
            session.stop_daemon("web")


def test_each_site_by_its_own_name_and_rules(place: Place) -> None:
    assert place.zsops("deploy", "--yes").code == 0
    for host in ("blog.example", "www.blog.example"):
        status, headers, body = place.get(host)
        assert (status, "blog 1" in body) == (200, True)
        assert {name.lower(): value for name, value in headers.items()}["x-site"] == "blog"
    status, headers, body = place.get("docs.example")
    assert (status, "docs 1" in body) == (200, True)
    assert "x-site" not in {name.lower() for name in headers}
    assert place.get("blog.example", "/old")[0] == 301
    assert place.get("docs.example", "/old")[0] == 404
    assert place.get("docs.example", "/sites/blog/index.html")[0] == 404

    place.write("blog", "blog 2")
    place.write("docs", "docs 2")
    plan = place.zsops("plan")
    assert "site blog" in plan.text
    assert "site docs" in plan.text
    assert place.zsops("deploy", "--yes").code == 0
    back = place.zsops("rollback", "--site", "blog")
    assert back.code == 0, back.stderr
    assert "blog 1" in place.get("blog.example")[2]
    assert "docs 2" in place.get("docs.example")[2]
    (status_now,) = json.loads(place.zsops("status", "--json").stdout)["result"]["instances"]
    assert [each["name"] for each in status_now["releases"][-1]["sites"]] == ["blog", "docs"]
    assert "rollback of site blog" in place.zsops("history", "--all").text


def test_one_site_is_deployed_beside_what_the_host_has(place: Place) -> None:
    assert place.zsops("deploy", "--yes").code == 0
    place.write("blog", "blog 2")
    place.write("docs", "docs 2")
    done = place.zsops("deploy", "--yes", "--site", "blog", "-v")
    assert done.code == 0, done.stderr
    assert "site docs" in done.stderr
    assert "blog 2" in place.get("blog.example")[2]
    assert "docs 1" in place.get("docs.example")[2]
    assert place.get("blog.example", "/old")[0] == 301
    assert "site blog" in place.zsops("history").text
    place.write("docs", "docs 1")
    plan = place.zsops("plan", "--detailed-exitcode")
    assert (plan.code, "nothing to do" in plan.text) == (0, True)  # the very same bytes
