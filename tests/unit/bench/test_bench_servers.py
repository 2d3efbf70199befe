"""An absent peer is told, not failed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import packages
from bench.packages import Absent, Program, find


def test_what_is_on_the_path_is_taken() -> None:
    found = find("sh", [])
    assert isinstance(found, Program)
    assert found.env == {}


def test_a_package_that_does_not_exist_is_absent_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "UNPACKED", tmp_path)
    found = find("zeroserve-no-such-program", ["zeroserve-no-such-package"])
    assert isinstance(found, Absent)
    assert "apt" in found.reason
    assert not (tmp_path / "zeroserve-no-such-package").exists()
