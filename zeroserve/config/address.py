"""Address: the text of `--addr` and `--tls-addr` becomes a `ListenAddress`. Nothing is bound."""

import ipaddress
import os

from zeroserve.config.model import ListenAddress
from zeroserve.errors import UsageRefused

DIGITS_MAX = 9
LISTEN_FDS_START = 3  # `SD_LISTEN_FDS_START`
FORMS = "use `ip:port`, `[v6]:port`, `:port`, `unix:PATH` or `fd:N`"


def parse_address(text: str, scheme: str) -> ListenAddress:
    """Parse one address. `scheme` is `http` or `https`. Raises `UsageRefused` (`address-bad`)."""
    if text.startswith("fd:"):
        return _parse_descriptor(text, scheme)
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path:
            raise UsageRefused("address-bad", f"invalid socket address `{text}`", hint=FORMS)
        return ListenAddress(scheme=scheme, kind="unix", text=text, path=path)
    host, colon, port_text = text.rpartition(":")
    if not colon or not (port_text.isascii() and port_text.isdigit()) or int(port_text) > 65535:
        raise UsageRefused("address-bad", f"invalid socket address `{text}`", hint=FORMS)
    return ListenAddress(
        scheme=scheme, kind="tcp", text=text, host=_parse_host(host, text), port=int(port_text)
    )


def _parse_descriptor(text: str, scheme: str) -> ListenAddress:
    name = text.removeprefix("fd:")
    if name.isascii() and name.isdigit() and len(name) <= DIGITS_MAX:
        return ListenAddress(scheme=scheme, kind="fd", text=text, fd=int(name))
    number = _activated(name)
    if number is None:
        raise UsageRefused(
            "address-bad",
            f"invalid file descriptor `{text}`",
            hint="use `fd:N` with the number of an inherited listening socket, or `fd:NAME` with "
            "its name in systemd (`FileDescriptorName=`)",
        )
    return ListenAddress(scheme=scheme, kind="fd", text=text, fd=number)


def _activated(name: str) -> int | None:
    """The socket of that name among those that systemd has passed (`sd_listen_fds(3)`).

    None when there is none, or when they were meant for another process.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    return LISTEN_FDS_START + names.index(name) if name in names else None


def _parse_host(host: str, text: str) -> str:
    if not host:
        return "::"  # `:port` is every address of both families
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        hint = FORMS
        if host == "localhost":
            hint = f"names are not looked up: use `127.0.0.1:{text.rpartition(':')[2]}`"
        raise UsageRefused("address-bad", f"invalid socket address `{text}`", hint=hint) from None
    if bracketed != (address.version == 6):
        raise UsageRefused("address-bad", f"invalid socket address `{text}`", hint=FORMS)
    return str(address)
