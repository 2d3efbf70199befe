"""The wish as frozen models. Names of fields are the keys of `zsops.yaml`.

Strict: text is never taken for a number, an unknown key is an error. Each field's description is
what `zsops explain KEY` prints, so that the manual cannot drift from the check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from zsops.config.around import Hooks, Notice
from zsops.config.duration import Duration
from zsops.config.hosts import Host, HostPattern, Ssh
from zsops.config.secrets import Ech, Secrets, Tls, TlsNames
from zsops.config.selector import Selector
from zsops.config.strategy import Strategy
from zsops.config.values import (
    LOCAL_HOST,
    Address,
    Argv,
    HostName,
    Name,
    Protocols,
    Section,
    Statuses,
    UrlPath,
    Version,
)


class Health(Section):
    """How a host decides that a new release serves well."""

    interval: Duration = Field(default=500, description="pause between two probes")
    timeout: Duration = Field(default=10_000, description="time a release has to become healthy")
    successes: int = Field(default=2, ge=1, le=100, description="probes in a row that must be good")
    protocols: Protocols = Field(
        default=("h2", "http/1.1"),
        description="what HTTPS listeners must speak: each is asked, on the host and from here",
    )


class Confirm(Section):
    """The dead man's switch: a host goes back by itself unless the operator confirms."""

    window: Duration = Field(
        default=60_000, description="time to confirm before a host goes back by itself"
    )
    probe: bool = Field(
        default=True, description="ask the new release from here, too, before confirming it"
    )


class Defaults(Section):
    """Settings of every environment."""

    keep: int = Field(
        default=5, ge=1, le=1000, description="releases kept on a host besides those in use"
    )
    health: Health = Field(default=Health(), description="the health check of a new release")
    confirm: Confirm = Field(default=Confirm(), description="the confirmation of a new release")
    ssh: Ssh = Field(default=Ssh(), description="the way to every host")


class Build(Section):
    """How a site's tree is made from its sources."""

    run: Argv = Field(description="program and arguments, run in the project's directory, no shell")
    out: str = Field(min_length=1, description="directory the program writes: the tree to pack")
    inputs: tuple[str, ...] = Field(
        default=(), description="what the build reads beside `src` (patterns): `dev` watches it"
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

    https: Address = Field(description="address and port for HTTPS: `:443`, `{addr}:8443`")
    http: Address | None = Field(default=None, description="address and port for plain HTTP")

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """(scheme, address) of every listener."""
        plain = () if self.http is None else (("http", self.http),)
        return (("https", self.https), *plain)


class Instance(Section):
    """One daemon of a host: its addresses and its site."""

    on: Selector | None = Field(
        default=None, description="the hosts it is on, as `eu & !canary`; all when left out"
    )
    listen: Listen = Field(description="addresses")
    site: str | None = Field(default=None, description="the site it serves")
    tls: TlsNames = Field(
        default=(), description="its certificates, of `tls`; the host makes one if left out"
    )
    ech: Name | None = Field(default=None, description="its ECH keys, one of `ech`")
    sites: Mapping[str, tuple[HostName, ...]] | None = Field(
        default=None, description="the sites it serves, each with its host names"
    )

    @property
    def site_names(self) -> tuple[str, ...]:
        """Names of the sites this instance serves (the loader has checked there is one)."""
        return (self.site,) if self.site is not None else tuple(self.sites or ())

    @property
    def host_sites(self) -> Mapping[str, str]:
        """The site of each host name."""
        return {name: site for site, names in (self.sites or {}).items() for name in names}

    @property
    def host_names(self) -> tuple[str, ...]:
        """Host names it answers to; empty when the file names none."""
        return tuple(name for names in (self.sites or {}).values() for name in names)


class Daemon(Section):
    """The version of the daemon that hosts should run."""

    version: Version = Field(description="version, as `0.4.2`")
    wheel: str | None = Field(
        default=None, min_length=1, description="wheel to send to hosts that lack the version"
    )
    drain: Duration = Field(
        default=60_000, description="time an old daemon gets to finish its requests"
    )


class Environment(Section):
    """Hosts and what runs on each of them."""

    mode: Literal["push"] = Field(
        default="push", description="`push`: the operator's machine drives the hosts"
    )
    strategy: Name | None = Field(
        default=None, description="how a deployment goes from host to host: one of `strategies`"
    )
    ssh: Ssh = Field(default=Ssh(), description="the way to the hosts of this environment")
    hosts: Mapping[HostPattern, Host] = Field(
        default={LOCAL_HOST: Host()},
        min_length=1,
        description="the machines, also as `web[2-4]`; `local` is this one",
    )
    instances: Mapping[Name, Instance] = Field(min_length=1, description="daemons on every host")


class FleetConfig(Section):
    """The whole of `zsops.yaml`."""

    version: Literal[1] = Field(description="version of this file's form: 1")
    project: Name = Field(description="name of the project")
    defaults: Defaults = Field(default=Defaults(), description="settings of every environment")
    sites: Mapping[Name, Site] = Field(min_length=1, description="the sites")
    tls: Mapping[Name, Tls] = Field(default={}, description="certificates and their keys")
    ech: Mapping[Name, Ech] = Field(default={}, description="keys for Encrypted Client Hello")
    secrets: Secrets = Field(default=Secrets(), description="who reads the encrypted files")
    hooks: Hooks = Field(default=Hooks(), description="programs that run here around a deployment")
    notify: tuple[Notice, ...] = Field(default=(), description="who is told how it went")
    daemon: Daemon | None = Field(
        default=None, description="the hosts' daemon; what `zsops-host` belongs to if left out"
    )
    strategies: Mapping[Name, Strategy] = Field(
        default={}, description="ways to go from host to host"
    )
    environments: Mapping[Name, Environment] = Field(
        default={}, description="where they are deployed"
    )
