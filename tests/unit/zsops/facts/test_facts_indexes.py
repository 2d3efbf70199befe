"""Indexes are fetched once a release, whoever asks and however many ask at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.memory_fleet import FLEET, MemoryFleet

from zsops.errors import LinkLost
from zsops.facts.observe import Index, Indexes
from zsops.host import messages as m
from zsops.transport.memory import MemorySession

INDEX: Index = (m.HostedMember("index.html", 3, "0" * 64),)


def test_many_who_ask_at_a_time_ask_one_host() -> None:
    indexes, asked, together = Indexes(), [0], threading.Barrier(4)

    def ask() -> Index:
        asked[0] += 1
        return INDEX

    def look(_: int) -> Index:
        together.wait()
        return indexes.of("sha256:a", ask)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(look, range(4))) == [INDEX] * 4
    assert asked == [1]


def test_a_host_that_fails_leaves_the_question_to_the_next() -> None:
    def lost() -> Index:
        raise LinkLost("gone")

    indexes = Indexes()
    with pytest.raises(LinkLost):
        indexes.of("sha256:a", lost)
    assert indexes.of("sha256:a", lambda: INDEX) == INDEX


def test_hosts_on_the_release_that_was_built_here_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = MemoryFleet.make(tmp_path, FLEET)
    assert shop.deploy().exit == 0
    asked: list[str] = []
    really = MemorySession.members

    def count(session: MemorySession, instance: str, release: str) -> Index:
        asked.append(release)
        return really(session, instance, release)

    monkeypatch.setattr(MemorySession, "members", count)
    assert all(each.is_no_op for each in shop.fleet().plan().instances)
    assert asked == []
    shop.write(**{"index.html": "<title>two</title>"})
    plan = shop.fleet().plan()
    assert len(asked) == 1
    assert [change.path for each in plan.instances for change in each.changes] == ["index.html"] * 4
