"""Selectors and ranges: which hosts are meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops.config.hosts import Host, Machine, Ssh, expand, machines
from zsops.config.scope import chosen
from zsops.config.selector import SelectorError, select
from zsops.errors import UsageError

FLEET = (
    Machine("web1", "192.0.2.1", ("canary", "eu"), {"dc": "fra"}, Ssh()),
    Machine("web2", "192.0.2.2", ("eu",), {"dc": "ams"}, Ssh()),
    Machine("web3", "192.0.2.3", ("us",), {"dc": "nyc"}, Ssh()),
    Machine("db1", "192.0.2.9", ("us",), {}, Ssh()),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", "web1 web2 web3 db1"),
        ("eu", "web1 web2"),
        ("eu & !canary", "web2"),
        ("eu|db1", "web1 web2 db1"),
        ("canary, us", "web1 web3 db1"),
        ("web*", "web1 web2 web3"),
        ("web[2-3]", "web2 web3"),
        ("dc=fra | dc=nyc", "web1 web3"),
        ("!(eu | dc=nyc)", "db1"),
        ("us & eu", ""),
        ("!canary & web* | db1", "web2 web3 db1"),
        ("!!eu", "web1 web2"),
    ],
)
def test_selectors(text: str, names: str) -> None:
    assert " ".join(each.name for each in select(text, FLEET)) == names


@pytest.mark.parametrize("text", ["", " ", "eu &", "& eu", "(eu", "eu)", "eu us", "eu $", "!"])
def test_what_is_no_selector_is_said(text: str) -> None:
    with pytest.raises(SelectorError):
        select(text, FLEET)
    with pytest.raises(UsageError):
        chosen(FLEET, text)


def test_nobody_meant_is_an_error() -> None:
    with pytest.raises(UsageError, match="means no host") as refused:
        chosen(FLEET, "canry")
    assert refused.value.hint == "did you mean `canary`?"


@given(st.text(alphabet="aeu!&|(),*[]-= 1", max_size=12))
def test_any_text_is_a_selector_or_a_selector_error(text: str) -> None:
    try:
        found = select(text, FLEET)
    except ValueError:
        return
    assert set(found) <= set(FLEET)


def test_ranges() -> None:
    assert expand("web[2-4]") == ("web2", "web3", "web4")
    assert expand("web[08-10].eu") == ("web08.eu", "web09.eu", "web10.eu")
    assert expand("web7") == ("web7",)
    for wrong in ("web[4-2]", "web[0-99999]"):
        with pytest.raises(ValueError, match="is no range"):
            expand(wrong)


def test_addresses_are_filled_in() -> None:
    host = Host(addr="10.0.0.{n}", ssh=Ssh(port=2222))
    found = machines("web[7-8]", host, Ssh(user="deploy", port=22))
    assert [each.address for each in found] == ["10.0.0.7", "10.0.0.8"]
    assert (found[0].ssh.user, found[0].ssh.port) == ("deploy", 2222)
    assert found[0].at("{addr}:443") == "10.0.0.7:443"
    assert machines("web7", Host(addr="{name}.net"), Ssh())[0].address == "web7.net"
    assert machines("web7", Host(), Ssh())[0].address == "web7"
    assert machines("local", Host(), Ssh())[0].address is None
    with pytest.raises(ValueError, match="web7"):
        machines("web7", Host(), Ssh())[0].at("{addr}:443")
