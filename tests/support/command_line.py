"""What a command of `zsops` left behind when a test called it in its own process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document of `--json`."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


Zsops = Callable[..., Said]
