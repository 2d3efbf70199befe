"""Writes `docs/errors.md` from the error tables in the code: `python docs/errors_page.py`.

Read, not imported: a half-built checkout can make its manual. `tests/tidy` fails when the page
on disk is stale.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
INTRO = """\
# Errors

An error is one or two lines on stderr: what happened and to what, then one thing to do. The word in
brackets is its code. Codes are stable, so a script may match on them; the text may become better.

```
error[site-truncated]: `site.tar` ends within a member: 11168 bytes wanted, 9000 there
hint: copy or pack it again
```

This page is written by `docs/errors_page.py` from the tables in the code.
"""


def server_codes(source: Path) -> Iterator[tuple[str, str]]:
    """(code, explanation) for every entry of `EXPLANATIONS` in `source`, in its order."""
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "EXPLANATIONS":
            assert node.value is not None
            yield from ast.literal_eval(node.value).items()


def fleet_codes(package: Path) -> Iterator[tuple[str, str]]:
    """(code, docstring) for every error class below `package` that has a `code`, sorted by code."""
    found: dict[str, str] = {}
    for source in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ClassDef) and (code := _code_of(node)):
                found.setdefault(code, " ".join((ast.get_docstring(node) or "").split()))
    yield from sorted(found.items())


def render() -> str:
    """The whole page."""
    server = list(server_codes(ROOT / "zeroserve" / "errors.py"))
    fleet = list(fleet_codes(ROOT / "zsops"))
    return f"{INTRO}\n## zeroserve\n\n{_paragraphs(server)}\n## zsops\n\n{_paragraphs(fleet)}"


def _code_of(node: ast.ClassDef) -> str | None:
    for line in node.body:
        match line:
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                return code
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                return code
    return None


def _paragraphs(entries: list[tuple[str, str]]) -> str:
    return "".join(f"`{code}`\n: {text}\n\n" for code, text in entries)


if __name__ == "__main__":
    PAGE.write_text(render())
    sys.stderr.write(f"wrote {PAGE.relative_to(ROOT)}\n")
