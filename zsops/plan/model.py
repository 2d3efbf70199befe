"""A plan: what a deployment will change, instance by instance, bound to what was observed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

#: What happens to an instance's daemon.
DaemonAction = Literal["none", "install", "start", "reload", "restart"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class GoneUrl(_Value):
    """An address that the new release no longer has."""

    url: str = Field(description="path of the URL, decoded")
    links: int | None = Field(
        description="links to it in pages of the new release; null: nobody looked"
    )


class FileChange(_Value):
    """One file of the site. Sizes in bytes; None on the side where it does not exist."""

    path: str
    kind: Literal["added", "changed", "removed"]
    old_size: int | None
    new_size: int | None
    script: bool = Field(default=False, description="it decides how requests are answered")
    gone: GoneUrl | None = Field(
        default=None, description="of a removed file: its URL, unless something else is there now"
    )


class SitePlan(_Value):
    """What happens to one of several sites. Digests as if it were alone; None: not there."""

    site: str
    old_digest: str | None
    new_digest: str | None
    changed: int = Field(description="files that are added, changed or removed")


class CertificatePlan(_Value):
    """What happens to one of several certificates. Times are RFC 3339; None where not known."""

    name: str = Field(description="of `tls:`")
    old_not_after: str | None
    new_not_after: str | None
    names: tuple[str, ...]


class SecretsPlan(_Value):
    """What happens to certificate and keys. Public facts only; None where they are not known."""

    name: str | None = Field(description="of `tls:`; null: a certificate of the host's own")
    source: str = Field(description="digest over the encrypted files; empty without `tls:`")
    changes: bool
    old_not_after: str | None = Field(default=None, description="RFC 3339")
    new_not_after: str | None = Field(default=None, description="RFC 3339")
    names: tuple[str, ...] = ()
    further: tuple[CertificatePlan, ...] = Field(
        default=(), description="certificates beside the first, those that go included"
    )


class InstancePlan(_Value):
    """What happens to one instance on one host."""

    host: str
    instance: str
    site: str
    observed: str = Field(description="state digest of the instance when the plan was made")
    old_release: str | None
    old_site_digest: str | None
    new_site_digest: str
    new_release_digest: str
    files: int = Field(description="files of the new site")
    size: int = Field(description="bytes of the new tarball")
    upload: int = Field(description="bytes the host lacks")
    changes: tuple[FileChange, ...]
    switches: bool = Field(description="another release goes into service")
    daemon: DaemonAction
    daemon_note: str
    old_version: str | None = Field(default=None, description="of the daemon that runs")
    new_version: str | None = Field(
        default=None, description="of the daemon that takes over; null: none does"
    )
    settings_changed: bool
    recovers: bool = Field(description="a deployment that was left unfinished is undone first")
    url: str
    secrets: SecretsPlan
    sites: tuple[SitePlan, ...] = Field(default=(), description="when there are several")
    only_site: str | None = Field(
        default=None,
        description="of several sites only this one changes: digests, files and sizes are its own",
    )
    unread_pages: int = Field(
        default=0, description="pages that were too large, or too many, to look for links in them"
    )
    warnings: tuple[str, ...] = ()

    @property
    def is_no_op(self) -> bool:
        """Nothing to do: the wish is in service, confirmed, and its daemon runs as asked."""
        return not (
            self.switches
            or self.settings_changed
            or self.recovers
            or self.daemon != "none"
            or self.new_version is not None
        )


class UnreachableHost(_Value):
    """A host in scope that could not be looked at; nothing is planned for it."""

    host: str
    code: str
    reason: str


class Plan(_Value):
    """What `zsops deploy` will do. Saved as JSON by `zsops plan --out`."""

    v: Literal[1] = 1
    id: str = Field(description="first 12 hex digits over everything below")
    project: str
    environment: str
    created: str = Field(description="RFC 3339, UTC")
    expires: str = Field(description="RFC 3339, UTC; afterwards the plan is stale")
    site: str | None = Field(default=None, description="of `--site`: only this one is deployed")
    instances: tuple[InstancePlan, ...]
    unreachable: tuple[UnreachableHost, ...] = ()

    @property
    def is_no_op(self) -> bool:
        """Nothing to do anywhere."""
        return not self.unreachable and all(each.is_no_op for each in self.instances)
