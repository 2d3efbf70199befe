"""ECH for tests: keys as `--gen-ech-key` makes them, and Go's client."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.counterparts import GO, require
from support.process import PROGRAMS, run

SOURCES = Path(__file__).parents[1] / "e2e" / "go-ech"
GO_MINOR_MIN = 26  # the first with a group that this server does not have
GO_ENVIRONMENT = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}


def make_key(place: Path, public_name: str) -> str:
    """Write a new key to a file. Returns the base64 of its config list, as it belongs into DNS."""
    command: list[str | Path] = [PROGRAMS / "zeroserve", "--gen-ech-key"]
    if place.parent.name == "keys" and place.parent.exists():
        command += ["--ech-key", place.parent]  # ids are one byte: draw a free one
    made = run([*command, "--ech-public-name", public_name])
    assert made.code == 0, made.stderr
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(made.stdout)
    found = re.search(r'^ech="(\S+)"$', made.stderr, re.MULTILINE)
    assert found is not None
    return found[1]


class GoClient:
    """crypto/tls as a client with ECH."""

    def __init__(self, place: Path) -> None:
        """Build it. Skips, or fails under CI, without a Go that has ECH."""
        version = GO.version or ""
        minor = re.search(r"go1\.(\d+)", version)
        if minor is None or int(minor[1]) < GO_MINOR_MIN:
            require(GO)
            pytest.skip(f"these tests need Go 1.{GO_MINOR_MIN}, this is {version}")
        self._program = place / "echfetch"
        command = [require(GO), "build", "-o", self._program, "."]
        built = run(command, cwd=SOURCES, env=GO_ENVIRONMENT, timeout_s=600)
        assert built.code == 0, built.stderr

    def fetch(
        self, address: tuple[str, int], *flags: str, roots: Path, name: str, ech: str
    ) -> list[dict[str, Any]]:
        """What came of each try."""
        place = f"{address[0]}:{address[1]}"
        command = [self._program, "-address", place, "-roots", roots, "-name", name, "-ech", ech]
        got = run([*command, *flags])
        assert got.code == 0, got.stderr
        return [json.loads(line) for line in got.text.splitlines()]
