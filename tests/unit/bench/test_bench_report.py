"""Ratios, dashes with their reasons, and what disturbed the runs."""

from __future__ import annotations

import io

from rich.console import Console

from bench import report
from bench.measure import Run, Runs


def run(cost: float, *, faults: int = 0, others: float = 0.0) -> Run:
    return Run(cost, 1000.0, 1.5, 100, faults, others, 0.0)


RUNS: Runs = {
    "static-174": {
        "nginx": [run(40.0), run(30.0)],
        "caddy": [run(90.0)],
        "zeroserve": [run(12.0, faults=2), run(15.0, others=0.2)],
    },
    "json": {"zeroserve": [run(10.0)]},
}
VERSIONS = {"nginx": "1.26", "caddy": "2.6", "zeroserve": "0.1"}
MISSING = report.Missing(
    {"other": "not built"}, {"static-174": {}, "json": {"nginx": "no Lua", "caddy": "no scripts"}}
)


def made() -> dict[str, object]:
    return report.document(RUNS, {"zeroserve": 14.25}, VERSIONS, MISSING)


def test_the_least_is_compared_and_nothing_is_where_nginx_was_not_measured() -> None:
    ratios = made()["ratio_to_nginx"]
    assert ratios == {"static-174": {"nginx": 1.0, "caddy": 3.0, "zeroserve": 0.4}, "json": {}}


def test_what_is_left_out_is_in_the_document() -> None:
    assert made()["absent"] == {"other": "not built"}
    assert made()["left_out"] == {"json": {"nginx": "no Lua", "caddy": "no scripts"}}


def test_the_table_has_a_dash_and_a_reason_for_each_peer_that_is_missing() -> None:
    talk = Console(file=io.StringIO(), width=120)
    report.show(talk, RUNS, made())
    assert isinstance(talk.file, io.StringIO)
    lines = [" ".join(line.split()) for line in talk.file.getvalue().splitlines()]
    assert "static-174 nginx 1.26 30.0 40.0 1.00 1,000 1.5" in lines
    assert "zeroserve 0.1 12.0 15.0 0.40 1,000 1.5" in lines
    assert "json nginx 1.26 - - - - -" in lines
    assert "zeroserve 0.1 10.0 10.0 - 1,000 1.5" in lines
    assert "idle (PSS): zeroserve 14.2 MiB" in lines
    assert "other is absent: not built" in lines
    assert "caddy is left out of json: no scripts" in lines
    assert "static-174, zeroserve: 2 bad answers" in lines
    assert "other programs took of the servers' core up to: static-174 20%" in lines
