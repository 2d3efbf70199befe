"""`python -m bench.verify`: each claim of the README, its command, pass or fail.

A claim is a table in `claims.toml`: `id`, `text` (a sentence of the README, which carries the id as
a comment), `command`, and what must come of it: exit 0 always, and `matches` (a pattern in what was
said) or `at_most` (a number in the JSON on stdout). Commands that claims share run once.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.process import Finished, run

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = ROOT / "bench" / "claims.toml"
COMMAND_TIMEOUT_S = 1200.0


@dataclass(frozen=True)
class Claim:
    """One sentence that can be tried. `at_most`: path of keys in the JSON, and the bound."""

    id: str
    text: str
    command: tuple[str, ...]
    matches: str | None = None
    key: tuple[str, ...] = ()
    at_most: float | None = None


def load_claims(file: Path = CLAIMS) -> tuple[Claim, ...]:
    """The claims of `file`, in its order."""
    tables = tomllib.loads(file.read_text())["claim"]
    return tuple(
        Claim(
            id=each["id"],
            text=each["text"],
            command=tuple(each["command"]),
            matches=each.get("matches"),
            key=tuple(each.get("key", ())),
            at_most=each.get("at_most"),
        )
        for each in tables
    )


def judge(claim: Claim, done: Finished) -> tuple[bool, str]:
    """(holds, what was found)."""
    if done.code != 0:
        return False, f"exit {done.code}: {done.said.strip()[-200:]}"
    if claim.matches is not None:
        found = re.search(claim.matches, done.said, re.MULTILINE)
        return found is not None, found[0].strip() if found else f"nothing like `{claim.matches}`"
    if claim.at_most is not None:
        value = json.loads(done.stdout)
        for key in claim.key:
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, int | float):
            return False, "not measured: " + ".".join(claim.key)
        return value <= claim.at_most, f"{value} (at most {claim.at_most})"
    return True, "exit 0"


def main() -> int:
    """Returns 0 when all chosen claims hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description=__doc__)
    parser.add_argument("ids", nargs="*", help="claims to try (default: all)")
    wanted = parser.parse_args().ids
    claims = [each for each in load_claims() if not wanted or each.id in wanted]
    console = Console(highlight=False, emoji=False)
    done: dict[tuple[str, ...], Finished] = {}
    table = Table("claim", "", "found", title="Claims of the README", title_justify="left")
    held = True
    for claim in claims:
        if claim.command not in done:
            console.print(f"$ {' '.join(claim.command)}", style="dim", markup=False)
            argv = [str(ROOT / claim.command[0]), *claim.command[1:]]
            done[claim.command] = run(argv, cwd=ROOT, timeout_s=COMMAND_TIMEOUT_S)
        good, found = judge(claim, done[claim.command])
        held &= good
        table.add_row(claim.text, "[green]pass[/]" if good else "[bold red]fail[/]", found)
    console.print(table)
    return 0 if held and claims else 1


if __name__ == "__main__":
    sys.exit(main())
