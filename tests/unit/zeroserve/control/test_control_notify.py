"""systemd notifications: sent where they are wanted, ignored where nobody listens."""

import socket
import time
from pathlib import Path

import pytest

from zeroserve.control.notify import notify, notify_reloading


def test_messages_arrive(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(20)
        listener.bind(str(short_dir / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(short_dir / "n"))
        assert notify("READY=1", "STATUS=x")
        assert listener.recv(100) == b"READY=1\nSTATUS=x"
        before = time.monotonic_ns() // 1000
        assert notify_reloading()
        first, second = listener.recv(100).split(b"\n")
        assert first == b"RELOADING=1"
        assert second.startswith(b"MONOTONIC_USEC=")
        assert before <= int(second.partition(b"=")[2]) <= time.monotonic_ns() // 1000


def test_the_abstract_namespace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(20)
        listener.bind("\0zs" + tmp_path.as_posix()[-60:])
        monkeypatch.setenv("NOTIFY_SOCKET", "@zs" + tmp_path.as_posix()[-60:])
        assert notify("READY=1")
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("value", ["", "relative", "/no/such/socket"])
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", value)
    assert not notify("READY=1")
