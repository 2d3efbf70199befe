"""How far a rollback goes: by steps, by name, by picking at a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest
from support.command_line import Zsops
from support.memory_fleet import FLEET, MemoryFleet

from zsops.errors import ExitCode
from zsops.host import messages as m

#: Sits at a terminal and types.
Types = Callable[[str], None]


class Terminal(io.StringIO):
    """What a person types; the last line ends the input."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Types:
    """Sit at a terminal and type."""

    def typed(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(text))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return typed


def _deploy(zsops: Zsops, shop: MemoryFleet, *texts: str, on: str | None = None) -> None:
    for text in texts:
        shop.write(**{"index.html": f"<title>{text}</title>"})
        said = zsops("deploy", "--reason", f"page {text}", *(("--on", on) if on else ()))
        assert said.code == ExitCode.OK, said.err


def test_steps_go_as_far_back_as_that_many_rollbacks(zsops: Zsops, shop: MemoryFleet) -> None:
    _deploy(zsops, shop, "one", "two", "three")
    assert zsops("rollback", "--steps", "2").code == ExitCode.OK
    assert b"<title>one" in shop.page()
    assert "rollback by 2" in zsops("history").out


def test_steps_count_what_lies_between_and_not_how_often_it_was_there(
    zsops: Zsops, shop: MemoryFleet
) -> None:
    _deploy(zsops, shop, "one", "two", "one", "three")
    assert zsops("rollback", "--steps", "3").code == ExitCode.OK
    seen = shop.host.service().observe("web")
    assert seen.current is not None
    assert seen.current.why == "rollback by 3"
    (first,) = [each for each in seen.releases if each.number == 1]
    assert seen.current.site_digest == first.site_digest
    left = {each.number for each in seen.releases if each.rolled_back}
    assert 4 in left


def test_a_host_with_a_shorter_history_stops_it_for_all(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    _deploy(zsops, shop, "one", on="web1")
    _deploy(zsops, shop, "two", "three")
    before = {name: shop.digest(name) for name in ("web1", "web2", "web4")}
    refused = zsops("rollback", "--steps", "2")
    assert refused.code == ExitCode.USAGE
    for host in ("web2", "web3", "web4"):
        assert f"{host}: instance `web` can go back 1 releases" in refused.err
    assert "web1:" not in refused.err
    assert "nothing was touched" in refused.err
    assert {name: shop.digest(name) for name in before} == before
    assert zsops("rollback", "--steps", "2", "--on", "web1").code == ExitCode.OK
    assert b"<title>one" in shop.page("web1")


@pytest.mark.parametrize(
    "arguments",
    [["--to", "x", "--steps", "1"], ["--pick", "--steps", "1"], ["--pick", "--to", "x"]],
)
def test_only_one_way_to_say_how_far(zsops: Zsops, arguments: list[str]) -> None:
    refused = zsops("rollback", *arguments)
    assert refused.code == ExitCode.USAGE
    assert "exclude each other" in refused.err


def test_nobody_is_asked_without_a_terminal(zsops: Zsops, shop: MemoryFleet) -> None:
    _deploy(zsops, shop, "one", "two")
    refused = zsops("rollback", "--pick")
    assert refused.code == ExitCode.USAGE
    assert "hint: name it: `--to RELEASE`" in refused.err
    assert b"<title>two" in shop.page()


def test_a_person_picks_from_a_list(zsops: Zsops, shop: MemoryFleet, types: Types) -> None:
    _deploy(zsops, shop, "one", "two", "three")
    types("0\nx\n2\n")
    said = zsops("rollback", "--pick")
    assert said.code == ExitCode.OK, said.err
    assert said.err.count("write a number from 1 to 2") == 2
    first, second = (line for line in said.err.splitlines() if line[:2] in ("1 ", "2 "))
    assert "page two" in first
    assert "page one" in second
    assert b"<title>one" in shop.page()
    # What was left is offered again: a person may know better.
    types("1\n")
    again = zsops("rollback", "--pick")
    assert "was rolled back from" in again.err
    assert b"<title>three" in shop.page()


def test_a_pick_that_one_host_lacks_touches_none(
    zsops: Zsops,
    shop: MemoryFleet,
    types: Types,
) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    _deploy(zsops, shop, "one", on="web1")
    _deploy(zsops, shop, "two", "three")
    types("2\n")
    refused = zsops("rollback", "--pick")
    assert refused.code == ExitCode.USAGE
    assert "on 1 of 4 hosts" in refused.err
    assert "web2, web3, web4 no longer keep that release" in refused.err
    assert b"<title>three" in shop.page("web1")


def test_a_person_who_leaves_changes_nothing(zsops: Zsops, shop: MemoryFleet, types: Types) -> None:
    _deploy(zsops, shop, "one", "two")
    types("")
    assert zsops("rollback", "--pick").code == ExitCode.INTERRUPTED
    assert b"<title>two" in shop.page()


def test_the_host_itself_refuses_no_steps(zsops: Zsops, shop: MemoryFleet) -> None:
    _deploy(zsops, shop, "one", "two")
    service = shop.host.service()
    token = service.take_lease(m.TakeLease("ana", "", 60.0, "r")).token
    with pytest.raises(Exception, match="at least one step"):
        service.prepare_rollback(m.PrepareRollback(token, "web", steps=0))


def test_a_rollback_can_keep_others_from_deploying_over_it(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    _deploy(zsops, shop, "one", "two")
    shop.of("web4").reachable = False
    said = zsops("rollback", "--hold", "--reason", "the shop is broken")
    assert said.code == ExitCode.PARTIAL
    assert "warning: not paused everywhere: `web4` does not answer" in said.err
    assert b"<title>one" in shop.page("web1")
    refused = zsops("deploy", "--on", "web1")
    assert refused.code == ExitCode.LOCKED
    assert "the shop is broken" in refused.err
