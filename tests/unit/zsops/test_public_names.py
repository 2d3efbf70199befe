"""What `import zsops` offers, and what it must not drag in."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from support.memory_fleet import FLEET, MemoryFleet

import zsops
from zsops import process


def test_fleet_is_the_python_api() -> None:
    from zsops import Fleet

    assert Fleet.__module__ == "zsops.fleet"
    with pytest.raises(AttributeError, match="has no attribute `Flet`"):
        zsops.Flet  # noqa: B018


def test_the_manuals_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manual = Path(__file__).resolve().parents[3] / "docs" / "manual" / "zsops.md"
    (example,) = re.findall(r"```python\n(from zsops.*?)```", manual.read_text(), re.DOTALL)
    hooks = "hooks: {pre_deploy: [./note.sh], post_deploy: [./note.sh]}\n"
    shop = MemoryFleet.make(tmp_path, FLEET + hooks)
    note = tmp_path / "note.sh"
    note.write_text('#!/bin/sh\necho "$ZSOPS_HOOK $ZSOPS_COMMAND $ZSOPS_REASON" >> noted\n')
    note.chmod(0o755)
    asked = []

    def load(file: str, env: str, *, on: str) -> zsops.Fleet:
        asked.append((file, env))
        return shop.fleet(on)

    monkeypatch.setattr(zsops.Fleet, "load", load)
    scope: dict[str, object] = {}
    exec(example, scope)  # our own manual's text
    assert asked == [("zsops.yaml", "prod")]
    said = capsys.readouterr().out.splitlines()
    assert "web1 web 1 files change" in said
    assert "web4 committed 000001-" in "\n".join(said)
    assert len({shop.digest(f"web{n}") for n in (1, 2, 3, 4)}) == 1
    # A program's run has the hooks of the file around it, as a person's has.
    assert (tmp_path / "noted").read_text().splitlines() == [
        "pre_deploy deploy hotfix 81",
        "post_deploy deploy hotfix 81",
    ]


def test_importing_the_package_loads_no_operator_library() -> None:
    code = (
        "import sys, zsops, zsops.errors, zsops.host.messages\n"
        "print([m for m in ('pydantic', 'typer', 'rich', 'ruamel') if m in sys.modules])"
    )
    done = process.run([sys.executable, "-c", code], timeout_s=60)
    assert done.output == "[]\n", done.errors


def test_operator_never_loads_the_engine() -> None:
    code = "import sys, zsops.cli.commands\nprint('zeroserve._engine' in sys.modules)"
    done = process.run([sys.executable, "-c", code], timeout_s=60)
    assert done.output == "False\n", done.errors
