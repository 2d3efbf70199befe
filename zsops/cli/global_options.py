"""Global options work before and after the command: `zsops --json plan` and `zsops plan --json`."""

from __future__ import annotations

from collections.abc import Iterable

#: Global options and whether a value follows.
GLOBAL: dict[str, bool] = {
    "-C": True,
    "-f": True,
    "--json": False,
    "--jsonl": False,
    "-q": False,
    "--quiet": False,
    "-v": False,
    "--verbose": False,
    "--no-color": False,
    "--timeout": True,
    "--on": True,
    "--site": True,
    "--concurrency": True,
    "--per-jump": True,
    "--limit-rate": True,
}


#: Commands that know what one site is. Elsewhere it would be read as less than it does: a lease or
#: a certificate belongs to the whole host or instance.
OF_ONE_SITE = (
    "build",
    "dev",
    "plan",
    "deploy",
    "promote",
    "abort",
    "rollback",
    "status",
    "history",
    "drift",
    "diff",
    "logs",
)


def hoist(arguments: list[str], with_value: Iterable[str]) -> list[str]:
    """`arguments` with the global options in front. Nothing after `--` is moved.

    `with_value` names the commands' own options that take a value: what follows one of them is its
    value even when it looks like a global option (`--reason -q`).
    """
    own = frozenset(with_value)
    front: list[str] = []
    rest: list[str] = []
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word == "--":
            return front + rest + arguments[at:]
        name = word.partition("=")[0] if word.startswith("--") else word
        takes = 2 if "=" not in word else 1
        if name in GLOBAL:
            count = takes if GLOBAL[name] else 1
            front += arguments[at : at + count]
        else:
            count = takes if name in own else 1
            rest += arguments[at : at + count]
        at += count
    return front + rest
