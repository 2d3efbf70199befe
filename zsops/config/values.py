"""Values of `zsops.yaml` that have a form of their own, and the base of its mappings."""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST_NAME = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)

#: By their names in ALPN.
_PROTOCOLS = ("h2", "http/1.1")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!]{0,63}")

#: The host that is this machine, unless it is given an `addr`.
LOCAL_HOST = "local"

#: In `listen`: the address of the host the instance is on.
ADDR = "{addr}"


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"`{value}` is not a name: use a-z, 0-9, `-` and `_`, at most 63 characters"
        )
    return value


def _argv(value: object) -> tuple[str, ...]:
    """A command as a list, or as one line split like a shell would; no shell ever runs it."""
    if isinstance(value, str):
        try:
            words = tuple(shlex.split(value))
        except ValueError as error:
            raise ValueError(f"cannot be split into words: {error}".lower()) from None
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        words = tuple(value)
    else:
        raise ValueError("must be a command: one line of text, or a list of words")
    if not words or not words[0]:
        raise ValueError("must name a program")
    return words


def _statuses(value: object) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(type(each) is int and 100 <= each <= 599 for each in listed):
        raise ValueError("must be a status between 100 and 599, or a list of them")
    return tuple(listed)


def _protocols(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed or len(set(map(str, listed))) < len(listed):
        raise ValueError("must be a list of protocols, each named once")
    for each in listed:
        if each not in _PROTOCOLS:
            raise ValueError(f"must be of `h2` and `http/1.1`, not `{each}`")
    return tuple(listed)


def _path(value: str) -> str:
    if not value.startswith("/") or any(each in value for each in " \r\n#"):
        raise ValueError(f"must be a path that starts with `/`, not `{value}`")
    return value


def _address(value: str) -> str:
    split_address(value.replace(ADDR, "127.0.0.1", 1) if value.startswith(ADDR) else value)
    return value


def _host_name(value: str) -> str:
    if len(value) > 253 or not _HOST_NAME.fullmatch(value):
        raise ValueError(f"`{value}` is not a host name (lower case, no port, no scheme)")
    return value


def _version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise ValueError(f"must be a version, as `0.4.2`, not `{value}`")
    return value


def split_address(value: str) -> tuple[str, int]:
    """(`host`, port) of `127.0.0.1:8443`, `[::1]:8443` or `:443` (host `::`, both families).

    Raises ValueError. Port 0 is refused: a deployed site needs a port people can know.
    """
    host, colon, port = value.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError(f"must be an address with a port, not `{value}`")
    if not 0 < int(port) <= 65535:
        raise ValueError(f"must have a port between 1 and 65535, not `{port}`")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        version = ipaddress.ip_address(bare or "::").version
    except ValueError:
        raise ValueError(f"must have an IP address before the port, not `{host}`") from None
    if bare and (version == 6) != (bare != host):
        raise ValueError(f"must have square brackets round IPv6 only, not `{value}`")
    return bare or "::", int(port)


Name = Annotated[str, AfterValidator(_name)]
Address = Annotated[str, AfterValidator(_address)]
UrlPath = Annotated[str, AfterValidator(_path)]
HostName = Annotated[str, AfterValidator(_host_name)]
Version = Annotated[str, AfterValidator(_version)]
Argv = Annotated[
    tuple[str, ...],
    BeforeValidator(_argv),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Statuses = Annotated[
    tuple[int, ...],
    BeforeValidator(_statuses),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}
    ),
]
Protocols = Annotated[
    tuple[str, ...],
    BeforeValidator(_protocols),
    WithJsonSchema({"type": "array", "items": {"enum": list(_PROTOCOLS)}, "minItems": 1}),
]


class Section(BaseModel):
    """Base of every mapping in the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
