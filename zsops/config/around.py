"""The parts of `zsops.yaml` about what happens around a run: hooks, and who is told of its end."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from zsops.config.duration import Duration
from zsops.config.values import Section

#: What there is to tell of.
Happening = Literal["deployed", "reverted", "unsafe", "drift", "cert_expiring"]
HAPPENINGS: tuple[Happening, ...] = get_args(Happening)

_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def _program(value: object) -> tuple[str, ...]:
    """A list of words, or a text that is a path as a whole; it is never split, no shell runs."""
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(each, str) for each in words):
        raise ValueError("must name a program: a path, or a list of words")
    if not words or not words[0]:
        raise ValueError("must name a program")
    return tuple(words)


def _hook(value: object) -> object:
    return value if isinstance(value, dict) else {"run": value}


def _variables(value: str) -> str:
    if "${" in _VARIABLE.sub("", value):
        raise ValueError("may only refer to variables as `${env:NAME}`")
    return value


Program = Annotated[
    tuple[str, ...],
    BeforeValidator(_program),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
#: Text with `${env:NAME}` in it, which is looked up when it is needed and never shown.
Hidden = Annotated[str, AfterValidator(_variables)]


class Hook(Section):
    """A program of the operator's own. What it is told is in its environment."""

    run: Program = Field(description="path, or program and arguments; no shell")
    timeout: Duration = Field(default=60_000, description="time after which it is stopped")
    required: bool = Field(default=True, description="`false`: its failure is only a warning")


#: A hook may be written as its program alone.
AnyHook = Annotated[Hook, BeforeValidator(_hook)]


class Hooks(Section):
    """Programs that run here, in the project's directory."""

    pre_plan: AnyHook | None = Field(default=None, description="before sites are built")
    pre_deploy: AnyHook | None = Field(default=None, description="before any host is touched")
    post_deploy: AnyHook | None = Field(default=None, description="when all hosts have ended")


class Notice(Section):
    """Who is told of what: by an address that apprise knows, or by a signed webhook."""

    on: tuple[Happening, ...] = Field(
        default=HAPPENINGS, description="what to tell of; all of it when left out"
    )
    to: Hidden | None = Field(default=None, description="address as apprise knows it")
    webhook: Hidden | None = Field(default=None, description="URL that gets a signed POST")
    secret: Hidden | None = Field(default=None, description="what the webhook is signed with")

    @model_validator(mode="after")
    def _one_way(self) -> Notice:
        if not self.on:
            raise ValueError("tells of nothing: its `on` is empty")
        if (self.to is None) == (self.webhook is None):
            raise ValueError("needs either `to` or `webhook`")
        if (self.webhook is None) != (self.secret is None):
            raise ValueError("a `webhook` is signed: it needs a `secret`, and only it does")
        return self


def resolved(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` with its variables put in. Raises LookupError that names the missing one."""

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1], "")
        if not found:
            raise LookupError(f"`${match[1]}` is not set")
        return found

    return _VARIABLE.sub(value, text)
