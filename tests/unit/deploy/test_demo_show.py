"""The demonstration cleans up after itself and counts what fails."""

from __future__ import annotations

import os
import ssl
import subprocess  # noqa: TID251 -- stopping processes is what is tried
import sys
import time
from pathlib import Path

import pytest
from show.narration import Narrator
from show.process import CommandError, free_port, pids_of, rings, run, stop_all
from show.traffic import Traffic

_DETACHED = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n"


def test_stop_all_ends_a_detached_process_of_this_run_and_no_other(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        env = {**os.environ, "ZSOPS_ROOT": str(tmp_path / "state")}
        subprocess.run([sys.executable, "-c", _DETACHED], env=env, check=True)
        deadline = time.monotonic() + 10
        while not pids_of(tmp_path):
            assert time.monotonic() < deadline
        assert stop_all(tmp_path) == []
        assert pids_of(tmp_path) == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    python = Path(sys.executable).name
    with pytest.raises(CommandError, match="ended with 3\nwhy it failed"):
        run([python, "-c", "print('why it failed'); raise SystemExit(3)"], cwd=tmp_path)
    with pytest.raises(CommandError, match="cannot be started"):
        run(["no-such-command"], cwd=tmp_path)


def test_traffic_counts_a_server_that_is_not_there_as_failures() -> None:
    with Traffic(free_port(), ssl.create_default_context(), {"/": {b"": "old"}}, 2) as traffic:
        deadline = time.monotonic() + 10
        while not traffic.failures:
            assert time.monotonic() < deadline
        assert not traffic.wait_count(1, timeout_s=0.1)
    assert traffic.count() == 0


def test_a_process_without_a_ring_has_none() -> None:
    assert rings(os.getpid()) == 0


def test_a_failed_check_counts() -> None:
    narrator = Narrator()
    narrator.check(good=True, text="fine")
    narrator.check(good=False, text="broken\nbecause")
    assert (narrator.checks, narrator.failures) == (2, 1)


def test_output_is_shown_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    Narrator().output("fingerprint 81:AB:10 [bold]not markup[/bold]")
    assert "fingerprint 81:AB:10 [bold]not markup[/bold]" in capsys.readouterr().out
