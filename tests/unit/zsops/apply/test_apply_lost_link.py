"""The link is lost while the host acts: the outcome is what the host did, or is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.crash_rig import Operator
from support.memory_fleet import Ended, MemoryFleet, ended

from zsops import daemons
from zsops.apply import link
from zsops.apply.probe import ProbeFailed
from zsops.apply.target import Target
from zsops.errors import ExitCode, HostUnreachable, LinkLost
from zsops.host import messages as m
from zsops.transport.memory import MemorySession, MemoryTransport

Cut = Callable[[str, int | None], None]


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    made = MemoryFleet.make(tmp_path)
    made.deploy()
    operator = Operator(made.host.service(), made.host.world, 1)
    for version in ("3.0.0", "2.0.0"):
        operator.upgrade(version)
    return made


@pytest.fixture
def cut(shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """Lose the link once the host has done what `call` asks for, and reach the host again at the
    `back`-th attempt from then on, or never."""
    monkeypatch.setattr(link, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(link, "_INSIST_PAUSE_S", 0.001)
    connect = MemoryTransport.connect

    def arranged(call: str, back: int | None) -> None:
        act = getattr(MemorySession, call)
        left = back
        monkeypatch.setattr(link, "INSIST_S", 0.05 if back is None else 60.0)

        def acts_and_is_lost(session: MemorySession, request: object) -> object:
            if left != back or not shop.host.reachable:
                return act(session, request)
            done = act(session, request)
            if isinstance(done, Iterator):
                list(done)
            shop.host.reachable = False
            raise LinkLost("the link broke")

        def connects(transport: MemoryTransport) -> MemorySession:
            nonlocal left
            if not shop.host.reachable and left is not None:
                left -= 1
                shop.host.reachable = left == 0
            return connect(transport)

        monkeypatch.setattr(MemorySession, call, acts_and_is_lost)
        monkeypatch.setattr(MemoryTransport, "connect", connects)

    return arranged


def _upgraded(shop: MemoryFleet) -> Ended:
    return ended(daemons.upgrade(shop.fleet(), version="3.0.0"))


def _version(shop: MemoryFleet) -> str | None:
    return shop.host.daemon.status("web").version


def test_an_upgrade_nobody_heard_the_end_of_is_not_called_unreachable(
    shop: MemoryFleet, cut: Cut
) -> None:
    cut("upgrade", None)
    run = _upgraded(shop)
    assert _version(shop) == "3.0.0"
    assert (run.host.outcome, run.exit) == ("unknown", ExitCode.PARTIAL)
    assert run.host.error is not None
    assert run.host.error.code == "outcome-unknown"
    assert "was told to change, and was not reached again" in run.host.error.message
    assert "zsops status" in (run.host.error.hint or "")


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        (None, "committed", ExitCode.OK),
        ("door", "reverted", ExitCode.REVERTED),
        ("public", "reverted", ExitCode.REVERTED),
    ],
)
def test_a_host_that_is_reached_again_tells_how_the_upgrade_ended(
    shop: MemoryFleet, cut: Cut, fault: str | None, outcome: str, code: ExitCode
) -> None:
    if fault is not None:
        shop.host.daemon.bad_versions["3.0.0"] = fault
    cut("upgrade", 5)
    run = _upgraded(shop)
    assert (run.host.outcome, run.exit) == (outcome, code)
    assert _version(shop) == ("2.0.0" if fault else "3.0.0")


def test_an_upgrade_that_was_never_asked_for_is_still_exit_7(shop: MemoryFleet) -> None:
    act = daemons.upgrade(shop.fleet(), version="3.0.0")
    shop.host.reachable = False
    run = ended(act)
    assert (run.host.outcome, run.exit) == ("unreachable", ExitCode.UNREACHABLE)
    assert _version(shop) == "2.0.0"


def test_a_host_that_is_lost_before_it_could_be_taken_back_runs_the_new_one(
    shop: MemoryFleet,
) -> None:
    def fails_and_is_lost(target: Target) -> None:
        shop.host.reachable = False
        raise ProbeFailed("`https://127.0.0.1:8443/` is not reached")

    shop.probe = fails_and_is_lost
    run = _upgraded(shop)
    assert _version(shop) == "3.0.0"
    assert (run.host.outcome, run.exit) == ("unknown", ExitCode.PARTIAL)
    assert run.host.error is not None
    assert "runs version 3.0.0, and was not reached again" in run.host.error.message


@pytest.mark.parametrize(
    ("back", "outcome", "code"),
    [(None, "unknown", ExitCode.PARTIAL), (5, "committed", ExitCode.OK)],
)
def test_a_confirmation_nobody_heard_the_answer_of(
    shop: MemoryFleet, cut: Cut, back: int | None, outcome: str, code: ExitCode
) -> None:
    """It may have been the one that counts: no self-revert is told of then."""
    shop.write(**{"index.html": "<title>two</title>"})
    cut("confirm", back)
    run = shop.deploy()
    assert (run.host.outcome, run.exit) == (outcome, code)
    shop.host.reachable = True
    shop.host.advance(3600.0)
    assert b"<title>two" in shop.page()


def test_a_confirmation_that_was_never_sent_is_a_self_revert(
    shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write(**{"index.html": "<title>two</title>"})

    def refused(transport: MemoryTransport) -> MemorySession:
        raise HostUnreachable("no route")

    def cut_off(target: Target) -> None:
        monkeypatch.setattr(MemoryTransport, "connect", refused)

    shop.probe = cut_off
    run = shop.deploy()
    assert (run.host.outcome, run.exit) == ("self_reverted", ExitCode.SELF_REVERTED)
    assert shop.host.service().observe("web").phase is m.Phase.HEALTHY
