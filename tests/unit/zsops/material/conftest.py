"""What tests of certificates and keys share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.material import OperatorKey


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OperatorKey:
    made = OperatorKey.make(tmp_path / "operator.age")
    made.use(monkeypatch)
    return made
