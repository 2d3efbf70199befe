"""The demonstration, as `make demo` runs it: every check holds, and nothing of it stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess  # noqa: TID251 -- the script itself is what is tried
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, str(ROOT / "deploy" / "demo.py")]

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary directory with a path short enough for a unix socket below it."""
    with tempfile.TemporaryDirectory(prefix="show-") as directory:
        yield Path(directory)


def _still_there(place: Path) -> list[str]:
    """Files below `place`, and processes that carry its path in their environment or arguments."""
    left = [str(each) for each in place.iterdir()]
    mark = os.fsencode(place / "zeroserve-demo-")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                carried = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            left += [f"pid {entry.name}"] if mark in carried else []
    return left


def test_every_check_holds_and_nothing_stays(place: Path) -> None:
    env = {**os.environ, "TMPDIR": str(place)}
    done = subprocess.run(DEMO, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"✔ [0-9,]+ requests, 0 failed", done.stdout), done.stdout
    assert "✘" not in done.stdout
    assert not _still_there(place)


def test_an_interrupted_show_cleans_up(place: Path) -> None:
    env = {**os.environ, "TMPDIR": str(place), "PYTHONUNBUFFERED": "1"}
    show = subprocess.Popen(DEMO, env=env, stdout=subprocess.PIPE, text=True)
    assert show.stdout is not None
    deadline = time.monotonic() + 120
    for line in show.stdout:  # until the site is deployed and a supervisor runs
        assert time.monotonic() < deadline
        if "while 4 clients ask" in line:
            break
    show.send_signal(signal.SIGTERM)
    show.stdout.read()
    show.stdout.close()
    assert show.wait(60) == 130
    assert not _still_there(place)
