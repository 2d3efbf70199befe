"""The bridge: status codes become exceptions, texts are freed, nothing else leaks through."""

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest

from zeroserve.bridge import handles
from zeroserve.bridge.errors import error_of
from zeroserve.errors import ConfigRefused, EngineBug, Unsupported, ZeroserveError


class FakeLibrary:
    """A C library as cffi shows it: out-pointers are lists, texts are bytes objects or None."""

    NULL = None

    def __init__(self, status: int, out: bytes | None, error: bytes | None) -> None:
        self.status, self.out, self.error = status, out, error
        self.freed: list[bytes] = []
        self.calls: list[tuple[object, ...]] = []

    def new(self, _kind: str) -> list[Any]:
        return [None]

    def string(self, text: bytes) -> bytes:
        return text

    def zs_text_free(self, text: bytes) -> None:
        self.freed.append(text)

    def _answer(self, *arguments: Any) -> int:
        *given, error = arguments
        self.calls.append(tuple(given))
        error[0] = self.error
        if given and isinstance(given[-1], list):
            given[-1][0] = self.out
        return self.status

    def zs_engine_wait(self, _engine: object, timeout_ms: int, finished: Any, error: Any) -> int:
        self.calls.append((timeout_ms,))
        finished[0] = 1
        error[0] = self.error
        return self.status

    zs_probe = zs_generation_check = zs_engine_start = zs_engine_reload = _answer
    zs_engine_log = zs_engine_stats = zs_engine_drain = zs_engine_stop = _answer


def installed(
    monkeypatch: pytest.MonkeyPatch, status: int, out: bytes | None, error: bytes | None
) -> FakeLibrary:
    library = FakeLibrary(status, out, error)
    module = SimpleNamespace(ffi=library, lib=library)
    monkeypatch.setattr(handles, "load_engine", lambda: module)
    return library


def test_an_answer_is_parsed_and_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = installed(monkeypatch, 0, b'{"supported": true}', None)
    assert handles.probe() == {"supported": True}
    assert library.freed == [b'{"supported": true}']


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [(1, ConfigRefused, 1), (2, Unsupported, 1), (70, EngineBug, 70)],
)
def test_a_status_is_an_exception(
    monkeypatch: pytest.MonkeyPatch, status: int, kind: type[ZeroserveError], exit_code: int
) -> None:
    library = installed(monkeypatch, status, None, "`ä.tar` is bad".encode())
    with pytest.raises(kind) as caught:
        handles.check_generation(b"{}")
    assert caught.value.message == "`ä.tar` is bad"
    assert caught.value.exit_code == exit_code
    assert library.freed == ["`ä.tar` is bad".encode()]


def test_an_unknown_status_is_a_bug_and_never_silent() -> None:
    assert isinstance(error_of(33, ""), EngineBug)
    assert "33" in error_of(33, "").message


def test_an_engine_from_start_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    library = installed(monkeypatch, 0, b'{"members": 2}', None)
    engine = handles.Engine.start(b"settings")
    assert engine.summary == {"members": 2}
    assert engine.reload(b"spec") == {"members": 2}
    assert engine.stats() == {"members": 2}
    engine.log(5)
    engine.drain()
    assert engine.wait(7) is True
    engine.stop()
    assert library.calls[0][:2] == (b"settings", 8)
    assert library.calls[1][1:3] == (b"spec", 4)
    assert (7,) in library.calls


@pytest.mark.e2e
def test_the_real_engine_answers() -> None:
    answer = handles.probe()
    assert isinstance(answer["supported"], bool)
    assert isinstance(answer["kernel"], str)
    # A spec that does not parse cannot come from a user: it is our own fault.
    with pytest.raises(EngineBug):
        handles.check_generation(b"{}")
    site = os.open(__file__, os.O_RDONLY)
    spec = {"id": 1, "site": {"fd": site, "path": "this.py"}, "release_digest": None, "tls": None}
    try:
        with pytest.raises(ConfigRefused, match=r"this\.py"):
            handles.check_generation(json.dumps(spec).encode())
    finally:
        os.close(site)
