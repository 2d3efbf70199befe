"""What an instance should be: values the planner gets, made by others."""

from __future__ import annotations

from dataclasses import dataclass

from zsops.host import messages as m
from zsops.plan.links import PageLinks


@dataclass(frozen=True)
class WishedFile:
    """A file of the new site. `sha256` is bare hex; `verbatim` if it is served as it is stored."""

    path: str
    size: int
    sha256: str
    verbatim: bool
    host: str = ""  # to ask for it; empty: the instance's first name
    root: str = ""  # of its site in the tar, with a closing slash


@dataclass(frozen=True)
class WishedMaterial:
    """Certificate and keys that the file names. `certificate` None: closed to this operator."""

    name: str
    source: str
    certificate: m.CertificateFacts | None = None
    further: tuple[tuple[str, m.CertificateFacts | None], ...] = ()  # names and facts of others
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class WishedInstance:
    """One instance on one host as the configuration and the build want it."""

    host: str
    instance: str
    site: str
    settings: m.InstanceSettings
    release_digest: str
    site_digest: str
    size: int
    files: tuple[WishedFile, ...]
    url: str
    material: WishedMaterial | None = None
    sites: tuple[m.SitePart, ...] = ()
    daemon_version: str | None = None  # None: whatever runs there is good
    links: PageLinks | None = None  # None: nobody looked
    only_site: str | None = None  # of several: only this one is sent, the others stay


@dataclass(frozen=True)
class Facts:
    """What was observed of an instance; `members` are those of the release in service."""

    observation: m.Observation
    members: tuple[m.HostedMember, ...] = ()
