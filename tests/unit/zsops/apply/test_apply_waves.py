"""Deployments over several hosts in memory: order, limits of failure, and the way back."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.memory_fleet import FLEET, Ended, MemoryFleet, ended

from zsops.apply.probe import ProbeFailed
from zsops.apply.target import Target
from zsops.config.strategy import Strategy
from zsops.errors import ExitCode, HostUnreachable
from zsops.fleet import Fleet
from zsops.host import upkeep
from zsops.report.events import NoteEvent, StepEvent
from zsops.transport.memory import MemoryTransport

ALL = ("web1", "web2", "web3", "web4")


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    """A site that is in service on four hosts."""
    made = MemoryFleet.make(tmp_path, FLEET)
    assert made.deploy().exit == 0
    return made


def order(done: Ended) -> list[str]:
    """Hosts in the order in which they were begun."""
    steps = [each.host for each in done.events if isinstance(each, StepEvent)]
    return list(dict.fromkeys(steps))


def with_two(shop: MemoryFleet) -> str:
    """The next release; the digest of the one in service."""
    before = shop.digest("web1")
    shop.write(**{"index.html": "<title>two</title>"})
    return before


def break_on(shop: MemoryFleet, *hosts: str) -> None:
    """The next release is served badly there."""
    plan = shop.fleet().plan()
    for name in hosts:
        shop.of(name).daemon.serves_badly.add(plan.instances[0].new_release_digest)


def test_waves_follow_each_other(shop: MemoryFleet) -> None:
    with_two(shop)
    done = shop.deploy("waves")
    assert done.exit == 0
    assert order(done) == list(ALL)
    notes = [each.text for each in done.events if isinstance(each, NoteEvent)]
    assert [each for each in notes if each.startswith("wave")] == [
        "wave 1 of 3: web1",
        "wave 2 of 3: web2",
        "wave 3 of 3: web3, web4",
    ]
    assert len({shop.digest(each) for each in ALL}) == 1


def test_after_a_failed_wave_none_is_begun(shop: MemoryFleet) -> None:
    before = with_two(shop)
    break_on(shop, "web1")
    done = shop.deploy("waves")
    assert done.exit == ExitCode.REVERTED
    assert done.outcomes == dict.fromkeys(ALL, "not_started") | {"web1": "reverted"}
    assert {shop.digest(each) for each in ALL} == {before}


def test_some_new_and_some_old_is_partial(shop: MemoryFleet) -> None:
    with_two(shop)
    break_on(shop, "web3")
    done = shop.deploy("waves")
    assert done.exit == ExitCode.PARTIAL
    assert done.outcomes == {
        "web1": "committed",
        "web2": "committed",
        "web3": "reverted",
        "web4": "not_started",
    }


def test_revert_wave_takes_the_wave_back_and_only_that(shop: MemoryFleet) -> None:
    before = with_two(shop)
    break_on(shop, "web4")
    done = shop.deploy("whole")
    assert done.exit == ExitCode.PARTIAL
    assert done.outcomes == dict.fromkeys(ALL, "reverted") | {"web1": "committed"}
    assert {shop.digest(each) for each in ALL[1:]} == {before}
    assert shop.digest("web1") != before


def test_as_many_may_fail_as_the_strategy_says(shop: MemoryFleet) -> None:
    with_two(shop)
    break_on(shop, "web1", "web3")
    lenient = Strategy.model_validate(
        {"waves": ["canary", "100%"], "batch": "1", "max_fail": {"count": 1}}, strict=False
    )
    done = ended(shop.fleet().deploy(strategy=lenient))
    assert done.outcomes == {
        "web1": "reverted",
        "web2": "committed",
        "web3": "reverted",
        "web4": "not_started",
    }


def test_hosts_out_of_reach_are_counted_apart(shop: MemoryFleet) -> None:
    with_two(shop)
    shop.of("web2").reachable = False
    strict = shop.deploy("waves")
    assert strict.exit == ExitCode.UNREACHABLE
    assert strict.outcomes == dict.fromkeys(ALL, "not_started") | {"web2": "unreachable"}
    lenient = Strategy.model_validate({"max_fail": {"unreachable": 1}}, strict=False)
    done = ended(shop.fleet().deploy(strategy=lenient))
    assert done.exit == ExitCode.PARTIAL
    assert done.outcomes == dict.fromkeys(ALL, "committed") | {"web2": "unreachable"}


def test_no_host_in_reach_names_them_all(shop: MemoryFleet) -> None:
    for name in ALL:
        shop.of(name).reachable = False
    with pytest.raises(HostUnreachable) as lost:
        shop.fleet().plan()
    assert all(f"\n  {name}: " in lost.value.message for name in ALL)


def test_no_more_than_a_batch_is_in_work(shop: MemoryFleet) -> None:
    with_two(shop)
    lock = threading.Lock()
    full = threading.Barrier(2, timeout=20)
    now: set[str] = set()
    most = 0

    def probe(target: Target) -> None:
        nonlocal most
        with lock:
            now.add(target.host)
            most = max(most, len(now))
        full.wait()  # passes only when two are here at a time
        with lock:
            now.discard(target.host)

    shop.probe = probe
    two = Strategy.model_validate({"batch": "2"}, strict=False)
    assert ended(shop.fleet().deploy(strategy=two)).exit == 0
    assert most == 2


def test_a_host_that_spoils_while_soaking_stops_the_rollout(shop: MemoryFleet) -> None:
    before = with_two(shop)
    asked: list[str] = []

    def probe(target: Target) -> None:
        asked.append(target.host)
        if asked.count("web1") > 1:
            raise ProbeFailed("it fell over")

    shop.probe = probe
    soaking = Strategy.model_validate_json(
        '{"waves": ["canary", "100%"], "soak": "1ms", "on_fail": "revert_wave"}'
    )
    done = ended(shop.fleet().deploy(strategy=soaking))
    assert done.exit == ExitCode.REVERTED
    assert done.outcomes == dict.fromkeys(ALL, "not_started") | {"web1": "reverted"}
    assert shop.digest("web1") == before


def test_a_wave_that_waits_for_promotion(shop: MemoryFleet) -> None:
    before = with_two(shop)
    done = shop.deploy("asks")
    assert done.exit == ExitCode.CANARY_WAITS
    assert done.outcomes == dict.fromkeys(ALL, "not_started") | {"web1": "committed"}
    assert shop.digest("web2") == before
    assert shop.deploy("waves").exit == 0  # which is what `promote` does
    assert len({shop.digest(each) for each in ALL}) == 1


def test_a_selector_leaves_the_others_alone(shop: MemoryFleet) -> None:
    before = with_two(shop)
    assert shop.deploy(on="rest & !web4").exit == 0
    assert [shop.digest(each) == before for each in ALL] == [True, False, False, True]


def test_rollback_goes_on_past_a_dead_host(shop: MemoryFleet) -> None:
    before = with_two(shop)
    assert shop.deploy().exit == 0
    shop.of("web3").reachable = False
    done = shop.rollback()
    assert done.exit == ExitCode.PARTIAL
    assert [shop.digest(each) for each in ("web1", "web2", "web4")] == [before] * 3


def test_a_pause_in_the_middle_is_waited_for(
    shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zsops.apply.instance._PAUSE_LOOK_S", 0.01)
    with_two(shop)
    shop.of("web3").service().hold(upkeep.Hold("ana", "fair"))
    fleet = shop.fleet()
    seen = []
    for event in fleet.deploy(strategy=fleet.strategy("waves")):
        seen.append(event)
        if isinstance(event, NoteEvent) and "waiting for `zsops resume`" in event.text:
            assert [shop.digest(each) for each in ("web1", "web2")] != [shop.digest("web3")] * 2
            shop.of("web3").service().lift_hold("ana", "")
    assert len({shop.digest(each) for each in ALL}) == 1
    assert any(isinstance(each, NoteEvent) and "`ana` paused" in each.text for each in seen)


def test_a_fleet_that_is_paused_is_not_begun(shop: MemoryFleet) -> None:
    before = with_two(shop)
    shop.of("web1").service().hold(upkeep.Hold("ana", ""))
    done = shop.deploy("waves")
    assert done.exit == ExitCode.LOCKED
    assert {shop.digest(each) for each in ALL} == {before}


def test_a_wrong_clock_keeps_a_host_out_of_the_plan(shop: MemoryFleet) -> None:
    fleet = Fleet(
        shop.fleet().project, connect=lambda machine: MemoryTransport(shop.of(machine.name))
    )
    with pytest.raises(HostUnreachable, match="its clock is"):
        fleet.plan()
