"""Waves: each host is in exactly one, and none is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.config.hosts import Machine, Ssh
from zsops.config.strategy import BUILT_IN, Strategy, hosts_of
from zsops.plan.waves import rollout


def machines(count: int, canaries: int = 1) -> list[Machine]:
    return [
        Machine(
            f"web{at}", f"192.0.2.{at}", ("canary",) if at <= canaries else ("rest",), {}, Ssh()
        )
        for at in range(1, count + 1)
    ]


def strategy(**wish: object) -> Strategy:
    return Strategy.model_validate(wish, strict=False)


def sizes(count: int, *waves: str) -> list[int]:
    made = rollout(machines(count), strategy(waves=waves))
    return [len(each.hosts) for each in made.waves]


def test_numbers_and_percentages_count_all_hosts() -> None:
    assert sizes(20, "1", "10%", "100%") == [1, 1, 18]
    assert sizes(6, "canary", "50%", "100%") == [1, 2, 3]
    assert sizes(2, "10%") == [1, 1]
    assert sizes(1, "1", "50%", "100%") == [1]


def test_hosts_no_wave_means_come_last() -> None:
    made = rollout(machines(4, canaries=2), strategy(waves=["canary"]))
    assert [each.hosts for each in made.waves] == [("web1", "web2"), ("web3", "web4")]


def test_batches_are_of_the_wave() -> None:
    made = rollout(machines(11), strategy(waves=["1", "100%"], batch="50%"))
    assert [each.batch for each in made.waves] == [1, 5]
    assert [each.batch for each in rollout(machines(8), BUILT_IN["all"]).waves] == [8]


@pytest.mark.parametrize(("count", "total", "hosts"), [("25%", 3, 1), ("3", 2, 2), ("50%", 3, 2)])
def test_hosts_of(count: str, total: int, hosts: int) -> None:
    assert hosts_of(count, total) == hosts


WAVES = st.lists(
    st.one_of(
        st.sampled_from(["canary", "rest", "web1 | web7", "!canary"]),
        st.integers(1, 60).map(str),
        st.integers(1, 100).map(lambda each: f"{each}%"),
    ),
    min_size=1,
    max_size=5,
)


@given(st.integers(1, 50), st.integers(0, 50), WAVES, st.sampled_from(["1", "30%", "100%"]))
def test_every_host_is_in_one_wave(count: int, canaries: int, waves: list[str], batch: str) -> None:
    made = rollout(machines(count, canaries), strategy(waves=waves, batch=batch))
    hosts = [host for wave in made.waves for host in wave.hosts]
    assert sorted(hosts) == sorted(each.name for each in machines(count))
    assert all(1 <= wave.batch <= len(wave.hosts) for wave in made.waves)
