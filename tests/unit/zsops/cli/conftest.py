"""The command line on a project whose hosts are in memory."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support.command_line import Said, Zsops
from support.memory_fleet import MemoryFleet

from zsops.apply.target import Target
from zsops.cli.app import run
from zsops.cli.invocation import Invocation
from zsops.fleet import Fleet
from zsops.transport.memory import MemoryTransport


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    return MemoryFleet.make(tmp_path)


@pytest.fixture
def zsops(
    shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Zsops:
    """Run a command in the project; its host is the one in memory."""

    def probe(target: Target) -> None:
        shop.probe(target)  # looked up late: a test may change it

    def fleet(invocation: Invocation, env: str | None) -> Fleet:
        return Fleet(
            invocation.project(),
            env,
            on=invocation.on,
            site=invocation.site,
            connect=lambda machine: MemoryTransport(shop.of(machine.name)),
            probe=probe,
            skew_s_max=None,
        )

    monkeypatch.setattr(Invocation, "fleet", fleet)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shop.directory / ".cache"))

    def call(*arguments: str) -> Said:
        code = run(["-C", str(shop.directory), *arguments])
        signal.setitimer(signal.ITIMER_REAL, 0)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call
