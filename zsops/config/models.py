"""The wish as frozen models. Names of fields are the keys of `zsops.yaml`.

Strict: text is never taken for a number, an unknown key is an error. Each field's description is
what `zsops explain KEY` prints, so that the manual cannot drift from the check.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from zsops.config.duration import Duration

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST_NAME = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)

#: Hosts this version can reach. Hosts over SSH are declared by name and `addr`.
LOCAL_HOST = "local"


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


def _path(value: str) -> str:
    if not value.startswith("/") or any(each in value for each in " \r\n#"):
        raise ValueError(f"must be a path that starts with `/`, not `{value}`")
    return value


def _address(value: str) -> str:
    split_address(value)
    return value


def _host_name(value: str) -> str:
    if len(value) > 253 or not _HOST_NAME.fullmatch(value):
        raise ValueError(f"`{value}` is not a host name (lower case, no port, no scheme)")
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


class Section(BaseModel):
    """Base of every mapping in the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Health(Section):
    """How a host decides that a new release serves well."""

    interval: Duration = Field(default=500, description="pause between two probes")
    timeout: Duration = Field(default=10_000, description="time a release has to become healthy")
    successes: int = Field(default=2, ge=1, le=100, description="probes in a row that must be good")


class Confirm(Section):
    """The dead man's switch: a host goes back by itself unless the operator confirms."""

    window: Duration = Field(
        default=60_000, description="time to confirm before a host goes back by itself"
    )


class Defaults(Section):
    """Settings of every environment."""

    keep: int = Field(
        default=5, ge=1, le=1000, description="releases kept on a host besides those in use"
    )
    health: Health = Field(default=Health(), description="the health check of a new release")
    confirm: Confirm = Field(default=Confirm(), description="the confirmation of a new release")


class Build(Section):
    """How a site's tree is made from its sources."""

    run: Argv = Field(description="program and arguments, run in the project's directory, no shell")
    out: str = Field(min_length=1, description="directory the program writes: the tree to pack")
    inputs: tuple[str, ...] = Field(
        default=(), description="what the build reads (patterns); for the record"
    )
    timeout: Duration = Field(default=600_000, description="time after which the build is stopped")


class Check(Section):
    """A request that the new release must answer as said."""

    path: UrlPath = Field(description="path to ask for")
    status: Statuses = Field(default=(200,), description="status expected, or a list of good ones")
    body_contains: str | None = Field(default=None, description="text the body must contain")
    header: Mapping[str, str] = Field(default={}, description="headers the answer must carry")


class Site(Section):
    """One tree of files that becomes a tarball."""

    src: str = Field(
        min_length=1, description="directory of the site; packed as it is without `build`"
    )
    build: Build | None = Field(
        default=None, description="how the tree is made, if it is not `src` itself"
    )
    include: tuple[str, ...] = Field(
        default=("**",), description="patterns of the files that are packed"
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="patterns of the files that are left out"
    )
    checks: tuple[Check, ...] = Field(
        default=(), description="requests that must be answered as said"
    )


class Listen(Section):
    """Where an instance answers."""

    https: Address = Field(description="address and port for HTTPS: `127.0.0.1:8443` or `:443`")
    http: Address | None = Field(default=None, description="address and port for plain HTTP")

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """(scheme, address) of every listener."""
        plain = () if self.http is None else (("http", self.http),)
        return (("https", self.https), *plain)


class Instance(Section):
    """One daemon of a host: its addresses and its site."""

    listen: Listen = Field(description="addresses")
    site: str | None = Field(default=None, description="the site it serves")
    sites: Mapping[str, tuple[HostName, ...]] | None = Field(
        default=None, description="the site it serves and the host names it answers to"
    )

    @property
    def site_name(self) -> str:
        """Name of the one site this instance serves (the loader has checked there is one)."""
        return self.site if self.site is not None else next(iter(self.sites or ()))

    @property
    def host_names(self) -> tuple[str, ...]:
        """Host names it answers to; empty when the file names none."""
        return () if self.site is not None else (self.sites or {})[self.site_name]


class Host(Section):
    """One machine. In this version only `local`, which needs no key."""


class Environment(Section):
    """Hosts and what runs on each of them."""

    mode: Literal["push"] = Field(
        default="push", description="`push`: the operator's machine drives the hosts"
    )
    hosts: Mapping[Name, Host] = Field(
        default={LOCAL_HOST: Host()}, min_length=1, description="the machines; `local` is this one"
    )
    instances: Mapping[Name, Instance] = Field(min_length=1, description="daemons on every host")


class FleetConfig(Section):
    """The whole of `zsops.yaml`."""

    version: Literal[1] = Field(description="version of this file's form: 1")
    project: Name = Field(description="name of the project")
    defaults: Defaults = Field(default=Defaults(), description="settings of every environment")
    sites: Mapping[Name, Site] = Field(min_length=1, description="the sites")
    environments: Mapping[Name, Environment] = Field(
        default={}, description="where they are deployed"
    )
