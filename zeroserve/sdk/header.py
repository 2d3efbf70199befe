"""`zeroserve.h` from `prelude.h` and `helpers.toml`. Run as a module, it writes the header anew."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path

#: The header that goes into the wheel.
HEADER = Path(__file__).with_name("zeroserve.h")
#: Columns of the header.
WIDTH = 110

_ORIGINAL = Path(__file__).with_name("prelude.h")
_TABLE = Path(__file__).with_name("helpers.toml")


def render() -> str:
    """The header's text."""
    parts = [_ORIGINAL.read_text()]
    for group in tomllib.loads(_TABLE.read_text())["group"]:
        rule = "-" * (WIDTH - len(group["title"]) - 13)
        parts.append(f"\n/* ---- {group['title']} {rule} */\n")
        parts += [_declaration(row) for row in group["helper"]]
    parts.append("\n#endif\n")
    return "".join(parts)


def _declaration(row: dict[str, str]) -> str:
    lines = textwrap.wrap(f"/* {row['doc']} */", WIDTH, subsequent_indent=" * ")
    if len(lines) > 1 and lines[-1].strip() == "* */":  # the end mark alone on a line
        lines[-2:] = [f"{lines[-2]} */"]
    returns = row.get("returns", "zs_s64")
    space = "" if returns.endswith("*") else " "
    lines.append(f"extern {returns}{space}{row['name']}({row['c']});")
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    HEADER.write_text(render())
