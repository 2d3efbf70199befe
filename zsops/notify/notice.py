"""A notice: what happened, as one document for programs and two lines for people."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from zsops.config.around import Happening


class NoticeHost(BaseModel):
    """One instance of one host in a notice."""

    model_config = ConfigDict(frozen=True)

    host: str
    instance: str
    outcome: str
    release: str | None = None
    detail: str | None = None


class Notice(BaseModel):
    """The body of a webhook. A field is only ever added: a changed meaning is a new `v`."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    event: Happening
    id: str = Field(description="ULID; the same when a delivery is tried again")
    t: str = Field(description="RFC 3339, UTC")
    project: str
    environment: str
    command: str
    who: str
    reason: str = ""
    commit: str = ""
    hosts: tuple[NoticeHost, ...] = ()

    @property
    def title(self) -> str:
        """`prod of shop: deployed`."""
        return f"{self.environment} of {self.project}: {self.event.replace('_', ' ')}"

    @property
    def text(self) -> str:
        """Who did what, then a line for each instance."""
        why = f" ({self.reason})" if self.reason else ""
        lines = [f"{self.command} by {self.who}{why}"]
        for each in self.hosts:
            said = each.release or each.detail or ""
            lines.append(f"{each.instance} on {each.host}: {each.outcome} {said}".rstrip())
        return "\n".join(lines)
