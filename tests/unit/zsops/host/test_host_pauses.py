"""Pauses between attempts that fail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zsops.host.pauses import Pauses


def test_they_double_up_to_a_limit_and_start_anew_once_it_works() -> None:
    pauses = Pauses(0.2, 10.0)
    assert pauses.due(0.0)
    assert [pauses.failed(5.0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert not pauses.due(14.9)
    assert pauses.due(15.0)
    pauses.over()
    assert pauses.due(0.0)
    assert pauses.failed(0.0) == 0.2


def test_who_asks_gets_one_attempt_and_not_a_new_count() -> None:
    pauses = Pauses(0.2, 10.0)
    for _ in range(4):
        pauses.failed(0.0)
    pauses.ask()
    assert pauses.due(0.0)
    assert pauses.failed(0.0) == 3.2


@given(st.integers(0, 5000))
def test_however_often_it_fails_the_pause_has_a_limit(times: int) -> None:
    pauses = Pauses()
    for _ in range(times):
        pauses.failed(1.0)
    assert pauses.failed(1.0) <= 10.0
