"""Picking from a list at a terminal: which release a rollback brings back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import typer

from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation
from zsops.errors import NoSuchRelease, UsageError
from zsops.host import messages as m
from zsops.plan.rollback import choices, digest_of
from zsops.report.quantities import age_text

_HEADER = ("#", "RELEASE", "AGE", "BY", "COMMIT", "WHY", "NOTE")
_COMMIT_DIGITS = 7
_ROWS_MAX = 20

Key = tuple[str, str]


@dataclass
class Choice:
    """The same bytes on one or more hosts, where their releases may have different names."""

    shown: m.ReleaseInfo
    releases: dict[Key, str] = field(default_factory=dict)


def pick(
    invocation: Invocation, seen: Mapping[Key, m.Observation], site: str | None
) -> dict[Key, str]:
    """Ask for each instance which release comes back; the release's name on every host of it.

    Raises UsageError where nobody can be asked, NoSuchRelease when there is nothing to pick.
    """
    if not invocation.may_ask:
        raise UsageError(
            "`--pick` asks at a terminal, and there is none", hint="name it: `--to RELEASE`"
        )
    picked: dict[Key, str] = {}
    for instance in dict.fromkeys(name for _, name in seen):
        mine = {key: each for key, each in seen.items() if key[1] == instance}
        picked.update(_ask(instance, mine, offered(mine, site)))
    return picked


def offered(seen: Mapping[Key, m.Observation], site: str | None) -> list[Choice]:
    """What can come back on at least one host, the newest first."""
    found: dict[str, Choice] = {}
    for key, each in seen.items():
        for release in choices(each, site):
            choice = found.setdefault(digest_of(release, site), Choice(release))
            choice.releases[key] = release.release
            if release.created > choice.shown.created:
                choice.shown = release
    return sorted(found.values(), key=lambda each: each.shown.created, reverse=True)[:_ROWS_MAX]


def _ask(
    instance: str, seen: Mapping[Key, m.Observation], found: Sequence[Choice]
) -> dict[Key, str]:
    if not found:
        raise NoSuchRelease(
            f"instance `{instance}` has no earlier confirmed release to go back to",
            hint="`zsops history` lists what was deployed",
        )
    rows = [_row(number, each, len(seen)) for number, each in enumerate(found, start=1)]
    typer.echo(f"{instance} can go back to", err=True)
    typer.echo(columns(_HEADER, rows), err=True)
    number: int = typer.prompt("which (number)", value_proc=_number_up_to(len(found)), err=True)
    releases = found[number - 1].releases
    lacking = [host for host, name in seen if (host, name) not in releases]
    if lacking:
        raise NoSuchRelease(
            f"{', '.join(lacking)} no longer keep that release; nothing was touched",
            hint="`--on` leaves hosts out; `defaults.keep` says how many releases stay",
        )
    return releases


def _number_up_to(highest: int) -> Callable[[str], int]:
    def parsed(text: str) -> int:
        if text.strip().isdecimal() and 1 <= int(text) <= highest:
            return int(text)
        raise typer.BadParameter(f"write a number from 1 to {highest}")

    return parsed


def _row(number: int, choice: Choice, hosts: int) -> tuple[str, ...]:
    shown = choice.shown
    notes = []
    if len(choice.releases) < hosts:
        notes.append(f"on {len(choice.releases)} of {hosts} hosts")
    if shown.rolled_back:
        notes.append("was rolled back from")
    return (
        str(number),
        shown.release,
        age_text(shown.created),
        shown.who or "-",
        shown.commit[:_COMMIT_DIGITS] or "-",
        shown.why or "-",
        ", ".join(notes) or "-",
    )
