"""Development servers, and browsers that listen to them."""

from __future__ import annotations

import http.client
import json
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.process import Program


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
    """A running development server, at plain HTTP."""

    def __init__(self, argv: Sequence[str | Path], log: Path) -> None:
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
def developing(argv: Sequence[str | Path], log: Path) -> Iterator[Dev]:
    """Start it, and see it end with all that it has started."""
    running = Dev(argv, log)
    try:
        yield running
    finally:
        if running.program.ended() is None:
            running.program.send(signal.SIGTERM)
        assert running.program.wait(30) == 0, running.program.said
    with pytest.raises(ConnectionRefusedError):
        running.get("/")  # the server has ended, too
