"""`zeroserve dev`: a change is packed, loaded and told to open pages, and so is a fault."""

from __future__ import annotations

import http.client
import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.process import PROGRAMS, Program
from support.trees import write_tree

pytestmark = [pytest.mark.e2e]

GOOD = b"""#include <zeroserve.h>
ZS_ENTRY zs_u64 entry(void) {
  zs_meta_set(ZS_STR("zs.response.header.x-script"), ZS_STR("runs"));
  return 0;
}
"""
PAGE = b"<!doctype html>\n<p>first\n"


class OpenPage:
    """What a browser does with a page: it reads the events that the page listens to."""

    def __init__(self, page: bytes) -> None:
        found = re.search(rb'built = (\d+), events = new EventSource\("([^"]+)"\)', page)
        assert found is not None, page
        self.built = int(found[1])
        self.url = urlsplit(found[2].decode())
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self._connection.request("GET", self.url.path)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200

    @property
    def port(self) -> int:
        assert self.url.hostname == "127.0.0.1"
        assert self.url.port is not None
        return self.url.port

    def close(self) -> None:
        self._answer.close()
        self._connection.close()

    def next(self) -> tuple[str, object]:
        """The next event: its name and its value."""
        name = ""
        while line := self._answer.readline().decode():
            key, _, value = line.rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                return name, json.loads(value)
        raise AssertionError("the events ended")

    def next_named(self, name: str) -> object:
        """The next event of this name; a burst of changes may make several builds."""
        while True:
            found, value = self.next()
            if found == name:
                return value


class Dev:
    """A running `zeroserve dev`."""

    def __init__(self, tree: Path, log: Path) -> None:
        argv = [PROGRAMS / "zeroserve", "dev", tree, "--addr", "127.0.0.1:0"]
        self.program = Program(argv, log, env={"XDG_CACHE_HOME": str(log.parent / "cache")})
        said = self.program.wait_said("listening on http://127.0.0.1:", 60)
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", said)
        assert found is not None
        self.port = int(found[1])

    def get(self, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        return get(self.port, path)

    def open(self) -> closing[OpenPage]:
        return closing(OpenPage(self.get("/")[2]))


def get(port: int, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


@contextmanager
def developing(tree: Path, log: Path) -> Iterator[Dev]:
    running = Dev(tree, log)
    try:
        yield running
    finally:
        running.program.send(signal.SIGTERM)
        assert running.program.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        running.get("/")  # the server has ended, too


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(
        tmp_path / "site",
        {"index.html": PAGE, "style.css": b"p{}", ".zeroserve/scripts/a.c": GOOD},
    )


@pytest.fixture
def dev(tree: Path, tmp_path: Path) -> Iterator[Dev]:
    with developing(tree, tmp_path / "log") as running:
        yield running


def test_a_change_is_shown_and_a_fault_lies_over_the_page(dev: Dev, tree: Path) -> None:
    status, headers, body = dev.get("/")
    assert (status, headers["x-script"]) == (200, "runs")
    assert body.startswith(PAGE)
    assert dev.get("/style.css")[2] == b"p{}"
    script = tree / ".zeroserve" / "scripts" / "a.c"
    with closing(OpenPage(body)) as page:
        assert page.next() == ("site", page.built)

        (tree / "index.html").write_bytes(b"<p>second\n")
        assert page.next_named("site") != page.built
        assert dev.get("/")[2].startswith(b"<p>second\n")

        script.write_bytes(GOOD.replace(b"return 0;", b"return 0"))
        assert "a.c:4:11: error: expected ';'" in str(page.next_named("fault"))
        assert "a.c:4:11: error: expected ';'" in dev.program.said
        assert dev.get("/")[0] == 200  # the former build goes on

        script.write_bytes(GOOD.replace(b'"runs"', b'"again"'))
        page.next_named("site")
        assert dev.get("/")[1]["x-script"] == "again"


def test_a_script_that_the_engine_refuses_is_told(dev: Dev, tree: Path) -> None:
    source = GOOD.replace(b"return 0", b"return zs_unheard_of()")
    with dev.open() as page:
        (tree / ".zeroserve" / "scripts" / "a.c").write_bytes(
            b"extern long zs_unheard_of(void);\n" + source
        )
        assert "zs_unheard_of" in str(page.next_named("fault"))
        assert dev.get("/")[1]["x-script"] == "runs"


def test_events_are_for_our_pages_only(dev: Dev) -> None:
    with dev.open() as page:
        assert get(page.port, page.url.path[:-1])[0] == 404


def test_a_folder_that_does_not_build_shows_why(tree: Path, tmp_path: Path) -> None:
    script = tree / ".zeroserve" / "scripts" / "a.c"
    script.write_bytes(b"int x = y;\n")
    with developing(tree, tmp_path / "log") as running:
        with running.open() as page:
            name, text = page.next()
            assert (name, "a.c:1:9: error:" in str(text)) == ("fault", True)
            script.write_bytes(GOOD)
            page.next_named("site")
        assert running.get("/")[2].startswith(PAGE)
