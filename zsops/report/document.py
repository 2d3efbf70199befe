"""The one document of `--json`: the same for every command, and for every error."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class DocumentProblem(BaseModel):
    """One problem of `zsops.yaml`, and its place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: int
    column: int
    message: str
    hint: str | None


class DocumentError(BaseModel):
    """What went wrong. `code` is stable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    message: str
    hint: str | None
    problems: tuple[DocumentProblem, ...] | None = None


class Document(BaseModel):
    """Printed on one line. A field is only ever added: a changed meaning is a new `v`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1]
    command: str = Field(description="first word of the command; empty when there was none")
    ok: bool = Field(description="it did what was asked")
    exit: int
    error: DocumentError | None
    result: dict[str, Any] | None = Field(description="differs from command to command")
