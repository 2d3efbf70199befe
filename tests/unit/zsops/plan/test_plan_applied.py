"""A plan that was applied leaves nothing to do, from any state, on a host in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.memory_fleet import MemoryFleet

from zsops.errors import ExitCode, NoSuchRelease

_NAMES = st.sampled_from(["index.html", "a.css", "b.txt", "c.js"])
_TREES = st.dictionaries(_NAMES, st.text("xyz", max_size=4), min_size=1)
_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("deploy"), _TREES),
        st.tuples(st.just("stop"), st.just({})),
        st.tuples(st.just("move"), st.just({})),
        st.tuples(st.just("rollback"), st.just({})),
        st.tuples(st.just("reboot"), st.just({})),
    ),
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(_ACTS, _TREES)
def test_applied_plan_leaves_nothing_to_do(
    acts: list[tuple[str, dict[str, str]]], tree: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        shop = MemoryFleet.make(Path(directory))
        for act, files in acts:
            _act(shop, act, files)
        _become(shop, tree)
        assert shop.deploy().exit == ExitCode.OK
        plan = shop.fleet().plan()
        assert plan.is_no_op, plan
        assert plan.instances[0].changes == ()
        assert shop.fleet().status()[0].state == "healthy"


def _act(shop: MemoryFleet, act: str, files: dict[str, str]) -> None:
    if act == "deploy":
        _become(shop, files)
        assert shop.deploy().exit == ExitCode.OK
    elif not shop.host.daemon.supervised:
        return  # nothing is deployed yet
    elif act == "stop":
        shop.host.service().stop_daemon("web")
    elif act == "move":
        file = shop.directory / "zsops.yaml"
        file.write_text(file.read_text().replace(":8443", ":8444"))
    elif act == "reboot":
        shop.host.reboot()
    else:
        try:
            shop.rollback()
        except NoSuchRelease:
            return


def _become(shop: MemoryFleet, tree: dict[str, str]) -> None:
    folder = shop.directory / "site"
    for each in folder.iterdir():
        each.unlink()
    shop.write(**tree)
