"""Sessions that stay from the look at a host to the deployment: as few logins as can be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support.memory_fleet import FLEET, MemoryFleet, ended

from zsops.config.load import load_project
from zsops.fleet import Fleet
from zsops.transport import kept
from zsops.transport.kept import Continued, KeptSessions
from zsops.transport.memory import MemoryHost, MemorySession, MemoryTransport


class Counted(MemoryTransport):
    """Counts sessions that were opened and closed."""

    opened: Counter[str]
    closed: Counter[str]
    stays = True

    @property
    def may_stay(self) -> bool:
        return self.stays

    def connect(self) -> MemorySession:
        made = super().connect()
        self.opened[self.host] += 1
        made.close = lambda: self.closed.update([self.host])  # type: ignore[method-assign]
        return made


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    Counted.opened, Counted.closed, Counted.stays = Counter(), Counter(), True
    return MemoryFleet.make(tmp_path, FLEET)


def _fleet(shop: MemoryFleet) -> Fleet:
    return Fleet(
        load_project(shop.directory / "zsops.yaml"),
        connect=lambda machine: Counted(shop.of(machine.name)),
        probe=lambda target: None,
        skew_s_max=None,
    )


def test_a_deployment_takes_two_sessions_and_closes_them(shop: MemoryFleet) -> None:
    assert ended(_fleet(shop).deploy()).exit == 0
    # One that looks and does, one that proves that the host can still be reached.
    assert set(Counted.opened.values()) == {2}
    assert Counted.closed == Counted.opened


def test_hosts_without_changes_are_let_go_at_once(shop: MemoryFleet) -> None:
    ended(_fleet(shop).deploy())
    Counted.opened.clear()
    Counted.closed.clear()
    fleet = _fleet(shop)
    fleet.plan(keep_open=True)
    assert Counted.closed == Counted.opened == dict.fromkeys(("web1", "web2", "web3", "web4"), 1)


def test_a_plan_alone_keeps_nothing(shop: MemoryFleet) -> None:
    _fleet(shop).plan()
    assert Counted.closed == Counted.opened


def test_what_was_kept_for_hosts_that_were_not_begun_is_closed(shop: MemoryFleet) -> None:
    fleet = _fleet(shop)
    plan = fleet.plan(keep_open=True)
    assert Counted.closed == Counter()
    shop.of("web1").daemon.start_error = "the port is in use"
    ended(fleet.deploy(plan))
    assert Counted.closed == Counted.opened


def test_behind_a_jump_host_none_is_kept(shop: MemoryFleet) -> None:
    Counted.stays = False
    assert ended(_fleet(shop).deploy()).exit == 0
    assert set(Counted.opened.values()) == {3}
    assert Counted.closed == Counted.opened


def test_a_session_is_given_away_once(shop: MemoryFleet) -> None:
    host = MemoryHost("web1")
    transport, sessions = Counted(host), KeptSessions()
    way = Continued(transport, sessions)
    first = transport.connect()
    sessions.keep("web1", first)
    assert way.connect() is first
    assert way.connect() is not first
    assert (way.host, way.may_stay) == ("web1", True)


def test_there_is_an_end_to_how_many(shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_KEPT_MAX", 1)
    sessions = KeptSessions()
    for name in ("one", "two"):
        sessions.keep(name, Counted(MemoryHost(name)).connect())
    assert Counted.closed == {"two": 1}
    sessions.close()
    assert Counted.closed == {"one": 1, "two": 1}
