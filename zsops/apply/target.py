"""What one instance run needs to know, gathered before anything is touched."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zsops.client.link import Trust
from zsops.host import messages as m
from zsops.plan.model import InstancePlan
from zsops.transport.base import Transport

#: Asks the instance from the operator's side; raises `ProbeFailed`.
ExternalProbe = Callable[["Target"], None]


class Sealer(Protocol):
    """Certificate and keys that can be encrypted to a host."""

    @property
    def source(self) -> str:
        """Digest over the operator's files."""

    def sealed_for(self, recipients: Sequence[str]) -> m.Material:
        """Every file, encrypted to the first of the host's keys, or for another of them already."""


@dataclass(frozen=True)
class NewDaemon:
    """A version of the daemon that is to take over. `wheel` None: it is on the host already."""

    version: str
    drain_s: float
    wheel: Path | None = None
    digest: str = ""
    size: int = 0
    old: str | None = None  # the version that runs; what a failed wave goes back to


@dataclass(frozen=True)
class RunInfo:
    """Who runs this and why. `id` is the ULID of the run, also the lease's."""

    id: str
    who: str
    why: str = ""
    commit: str = ""
    pid: int | None = None
    pid_started: int | None = None


@dataclass(frozen=True)
class Target:
    """One instance on one host. Times in seconds.

    `tar` is the new site's tarball; None for a rollback, whose bytes are on the host already.
    """

    transport: Transport
    instance: str
    settings: m.InstanceSettings | None
    health: m.HealthPolicy
    url: str
    keep: int
    confirm_window_s: float
    plan: InstancePlan | None = None
    tar: Path | None = None
    extents: str = ""  # the tarball's pieces, as `Stage` carries them
    rollback_to: str | None = None  # for a rotation: where it goes back to with its wave
    rollback_steps: int = 1  # without `rollback_to`: confirmed releases back
    probe: ExternalProbe | None = None
    dial: Callable[[str, int], socket.socket] | None = None  # how it is reached; None: directly
    reach: str | None = None  # where the host is found from here; None: this machine
    fresh_confirm: bool = True  # confirm over a new connection, as proof that one can be had
    retry_quarantined: bool = False
    seal: Sealer | None = None  # None: the host makes a certificate for itself
    recipient: str | None = None  # what to encrypt to; None: the host is asked
    rotates: bool = False  # the site in service, with other secrets
    settled: str | None = None  # the release in service, when it is as it should be already
    sites: tuple[m.SitePart, ...] = ()  # what the tarball holds
    site_hosts: tuple[tuple[str, str], ...] = ()  # root in the tar, host name to ask for
    only_site: str | None = None  # of several: the tarball holds this one, the others stay
    rollback_site: str | None = None  # for a rollback: only this site goes back
    with_secrets: bool = False  # for a rollback: the older release's secrets, too
    daemon: NewDaemon | None = None  # before anything else
    only_daemon: bool = False  # and nothing else
    certificates: tuple[m.CertificateFacts, ...] = ()  # of the release: what has to be shown
    authorities: tuple[Trust, ...] = ()  # of each of them: what it has to lead to

    @property
    def host(self) -> str:
        """Name of the host."""
        return self.transport.host
