"""`zsops explain`: what a key of the file means."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsops.cli.columns import columns
from zsops.cli.completion import complete_key
from zsops.cli.invocation import Invocation
from zsops.config.explain import KeyMeaning, explain_key, meanings
from zsops.config.problems import did_you_mean
from zsops.errors import UsageError


def explain(
    context: typer.Context,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY",
            help="`sites.blog.build.run`; all keys when left out.",
            autocompletion=complete_key,
        ),
    ] = None,
) -> None:
    """Say what a key of zsops.yaml means. With its default and an example."""
    invocation: Invocation = context.obj
    found = meanings() if key is None else explain_key(key)
    if not found:
        last = (key or "").rpartition(".")[2]
        known = {each.key.rpartition(".")[2] for each in meanings()}
        raise UsageError(f"`zsops.yaml` has no key `{key}`", hint=did_you_mean(last, known))
    result = {"keys": [asdict(each) for each in found]}
    invocation.answer("explain", result, _text(found))


def _text(found: tuple[KeyMeaning, ...]) -> str:
    rows = [
        (
            each.key,
            "required" if each.default is None else each.default,
            each.example or "-",
            each.meaning,
        )
        for each in found
    ]
    return columns(("KEY", "DEFAULT", "EXAMPLE", "MEANING"), rows)
