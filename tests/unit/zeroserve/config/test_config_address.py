"""Addresses: every form, and every malformed one."""

import os

import pytest

from zeroserve.config.address import parse_address
from zeroserve.errors import UsageRefused


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:8443", "::1", 8443),
        ("[::]:65535", "::", 65535),
        (":8080", "::", 8080),
    ],
)
def test_tcp(text: str, host: str, port: int) -> None:
    address = parse_address(text, "https")
    assert (address.kind, address.host, address.port) == ("tcp", host, port)
    assert (address.scheme, address.text) == ("https", text)


def test_unix_and_inherited() -> None:
    assert parse_address("unix:/run/a:1", "http").path == "/run/a:1"
    assert parse_address("fd:7", "http").fd == 7


@pytest.mark.parametrize(
    "text",
    [
        *("", "80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:²", "::1:80"),
        *("[1.2.3.4]:80", "[::1:80", "localhost:80", "1.2.3:80", "a:b:c", "unix:"),
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(UsageRefused, match="invalid socket address") as caught:
        parse_address(text, "http")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["fd:", "fd:-1", "fd:x", "fd:1.0", "fd:99999999999"])
def test_malformed_descriptor(text: str) -> None:
    with pytest.raises(UsageRefused, match="invalid file descriptor"):
        parse_address(text, "http")


def test_sockets_of_systemd_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_FDNAMES", "web:secure")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    assert parse_address("fd:secure", "https").fd == 4
    with pytest.raises(UsageRefused, match="invalid file descriptor"):
        parse_address("fd:other", "https")
    monkeypatch.setenv("LISTEN_PID", "1")
    with pytest.raises(UsageRefused, match="invalid file descriptor"):
        parse_address("fd:secure", "https")
