"""The ratio of two loops to one: the least of each, and nothing where one was not measured."""

from __future__ import annotations

import io

from rich.console import Console

from bench.measure import Run, Runs
from bench.scaling import ratios, servers, show


def runs(one: list[float], two: list[float]) -> Runs:
    def made(costs: list[float]) -> list[Run]:
        return [Run(cost, 1.0, 1.0, 1, 0, 0.0, 0.0) for cost in costs]

    by_server = {"1 loop": made(one), "2 loops": made(two)}
    return {"static-174": by_server, "static-100k": by_server}


def test_the_least_of_each_is_compared() -> None:
    assert ratios(runs([10.0, 30.0], [50.0, 11.0])) == {"static-174": 1.1, "static-100k": 1.1}
    assert ratios(runs([10.0], [])) == {}


def test_a_bad_ratio_or_a_missing_one_is_no_success() -> None:
    talk = Console(file=io.StringIO())
    assert show(talk, runs([10.0], [11.0])) == 0
    assert show(talk, runs([10.0], [12.0])) == 1
    assert show(talk, runs([10.0], [])) == 1


def test_the_servers_have_the_names_that_are_compared() -> None:
    assert [each.name for each in servers()] == ["1 loop", "2 loops"]
