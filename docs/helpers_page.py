"""Writes `docs/manual/helpers.md` from the table of helpers: `python docs/helpers_page.py`.

The header that scripts include is made from the same table. `tests/tidy` fails when the page on
disk is stale.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "manual" / "helpers.md"
TABLE = ROOT / "zeroserve" / "sdk" / "helpers.toml"
INTRO = """\
# What scripts can call

Conventions, unless a helper says otherwise:

- Text that goes in is a pointer and a length in bytes, UTF-8; `ZS_STR("...")` gives both.
- Text that comes out goes to `(out, out_len)`, cut to fit and ended by a NUL. The result is its
  length; `out_len` or more means that it was cut. With `out_len` 0 nothing is written and the
  result is the length it would have. A missing value is `""` and 0.
- Bytes that come out have no NUL; the result is their number.
- A handle stands for a place in a JSON document; a script holds at most 32.
- A helper that *aborts* ends the script at that call: the request gets 500 and the log says why.
  Every helper aborts when a pointer and length lie outside of the script's memory, when text is not
  UTF-8, and when a handle is not alive.

Behind each stands where it may be called, on a request or in a response hook; its price in fuel,
of which one is about an instruction; and, where it is not of the announced interface, whether it
is *later* (of later versions of that) or *ours* (of this server alone).

This page is written by `docs/helpers_page.py` from the table of which `zeroserve.h` is made.
"""
_ORIGINS = {"S": "", "B": "", "L": "; later", "ours": "; ours"}
_PHASES = {"R": "request", "H": "hook"}


def render() -> str:
    """The whole page."""
    parts = [INTRO]
    for group in tomllib.loads(TABLE.read_text())["group"]:
        title = group["title"]
        parts.append(f"\n## {title[:1].upper()}{title[1:]}\n\n")
        parts += [_entry(row) for row in group["helper"]]
    return "".join(parts)


def _entry(row: dict[str, str]) -> str:
    returns = row.get("returns", "zs_s64")
    space = "" if returns.endswith("*") else " "
    phases = ", ".join(text for letter, text in _PHASES.items() if letter in row["phases"])
    facts = f"{phases}; {row['fuel']} fuel{_ORIGINS[row['origin']]}"
    doc = row["doc"].replace("<", "&lt;")
    return f"`{returns}{space}{row['name']}({row['c']})`\n: {doc} *({facts})*\n\n"


if __name__ == "__main__":
    PAGE.write_text(render().rstrip("\n") + "\n")
    sys.stderr.write(f"wrote {PAGE.relative_to(ROOT)}\n")
