"""An answer of a server beside what was expected of it: the same judgement on the host and from
outside. Pure.
"""

from __future__ import annotations

from typing import Protocol

from zsops.frozen import frozen
from zsops.host.messages import ContentCheck, StatusCheck


class Answered(Protocol):
    """What is judged. `body`: its beginning, the first 64 KiB; `sha256` covers all of it."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def sha256(self) -> str: ...


@frozen
class Compared:
    """In words; `problem` is None for a good answer."""

    expected: str
    got: str
    problem: str | None = None


def shown(path: str) -> str:
    """A path as it may be told: what is secret in it stays with the project's file."""
    if not any(each in path for each in "?;@#"):
        return path  # without 10 ms of patterns, which most sessions never need
    from zsops.host import redact

    return redact.url(path)


def statuses(check: StatusCheck) -> str:
    """`200 or 204`."""
    return " or ".join(str(status) for status in check.status)


def with_check(check: StatusCheck, answer: Answered) -> Compared:
    """A configured check: status, text in the body, headers."""
    wanted, got = statuses(check), str(answer.status)
    if answer.status not in check.status:
        return Compared(wanted, got, f"status {got}, expected {wanted}")
    if check.body_contains is not None and check.body_contains.encode() not in answer.body:
        text = f"the body lacks `{check.body_contains}`"
        with_it = f"{wanted}, a body with `{check.body_contains}`"
        return Compared(with_it, f"{got}, a body without it", text)
    have = {name.lower(): value for name, value in answer.headers}
    for name, value in check.header:
        if have.get(name) != value:
            return _headers(name, value, have.get(name))
    return Compared(wanted, got)


def _headers(name: str, wanted: str, got: str | None) -> Compared:
    from zsops.host import redact

    value = redact.header(name, wanted, asked=True)
    if got is None:
        text = f"there is no header `{name}`, expected `{value}`"
        return Compared(f"`{name}: {value}`", f"no `{name}`", text)
    found = redact.header(name, got, asked=True)
    differs = "" if found != value else "; what differs is not shown"
    text = f"header `{name}` is `{found}`, expected `{value}`{differs}"
    return Compared(f"`{name}: {value}`", f"`{name}: {found}`", text)


def with_content(content: ContentCheck, answer: Answered) -> Compared:
    """A member of the release: its bytes."""
    if answer.status != 200:
        return Compared("200", str(answer.status), f"status {answer.status}, expected 200")
    wanted, got = f"{content.sha256[:12]}…", f"{answer.sha256[:12]}…"
    if answer.sha256 != content.sha256:
        text = f"the body hashes to {got}, expected {wanted}"
        return Compared(f"sha256 {wanted}", f"sha256 {got}", text)
    return Compared(f"sha256 {wanted}", f"sha256 {got}")
