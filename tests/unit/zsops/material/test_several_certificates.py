"""Several certificates on one instance: each for its names, renewed each for itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.material import OperatorKey, Pair, keep, make_pair
from support.memory_fleet import MemoryFleet, ended

from zsops import renewal
from zsops.config.load import UnknownName
from zsops.material.errors import MaterialError
from zsops.report.plan_text import plan_text

CONFIG = """\
version: 1
project: shop
tls:
  shop: {cert: secrets/shop.crt, key: age:secrets/shop.key.age}
  blog: {cert: secrets/blog.crt, key: age:secrets/blog.key.age, min_days: 30}
sites:
  hello: {src: site}
environments:
  prod:
    hosts:
      web1: {addr: 192.0.2.1}
    instances:
      web:
        listen: {https: ":8443"}
        sites: {hello: [shop.example, blog.example]}
        tls: [shop, blog]
"""


@pytest.fixture
def shop(tmp_path: Path, operator: OperatorKey) -> MemoryFleet:
    made = MemoryFleet.make(tmp_path, CONFIG)
    for name in ("shop", "blog"):
        keep(tmp_path, make_pair(f"{name}.example"), operator.recipient, name=name)
    return made


def _renew(
    shop: MemoryFleet, operator: OperatorKey, name: str, *names: str, days: int = 90
) -> Pair:
    pair = make_pair(*(names or (f"{name}.example",)), days=days)
    keep(shop.directory, pair, operator.recipient, name=name)
    return pair


def test_both_are_served_and_one_is_renewed(shop: MemoryFleet, operator: OperatorKey) -> None:
    shop.deploy()
    before = shop.of("web1").daemon.running["web"]
    assert before.further != ()
    assert {each.state for each in renewal.certificates(shop.fleet())} == {"good"}
    pair = _renew(shop, operator, "blog", days=20)
    plan = plan_text(shop.fleet().plan())
    assert "tls shop: shop.example  90 d -> 90 d left" in plan
    assert "tls blog: blog.example  90 d -> 20 d left" in plan
    assert ended(renewal.rotate(shop.fleet(), tls="blog")).exit == 0
    after = shop.of("web1").daemon.running["web"]
    assert after.cert == before.cert
    assert after.further == (pair.cert,)
    told = {each.name: each for each in renewal.certificates(shop.fleet())}
    assert (told["shop"].state, told["blog"].state) == ("good", "soon")
    assert told["blog"].facts is not None
    assert told["blog"].facts.names == ("blog.example",)


def test_a_rollback_keeps_both(shop: MemoryFleet) -> None:
    shop.deploy()
    first = shop.of("web1").daemon.running["web"]
    shop.write(**{"index.html": "<title>two"})
    shop.deploy()
    assert ended(shop.fleet().rollback()).exit == 0
    assert shop.of("web1").daemon.running["web"].further == first.further


def test_a_name_that_none_is_for_is_refused(shop: MemoryFleet, operator: OperatorKey) -> None:
    _renew(shop, operator, "blog", "other.example")
    with pytest.raises(MaterialError, match=r"`shop`, `blog` is for `blog\.example`"):
        shop.fleet().plan()


def test_one_that_is_for_no_name_is_a_warning(shop: MemoryFleet, operator: OperatorKey) -> None:
    _renew(shop, operator, "shop", "shop.example", "blog.example")
    _renew(shop, operator, "blog", "other.example")
    (planned,) = shop.fleet().plan().instances
    assert "certificate `blog` is for none of the instance's names" in planned.warnings


def test_another_key_of_a_further_one_is_refused(shop: MemoryFleet, operator: OperatorKey) -> None:
    stray = make_pair("blog.example")
    mine = make_pair("blog.example")
    keep(shop.directory, Pair(mine.cert, stray.key), operator.recipient, name="blog")
    with pytest.raises(MaterialError, match="key"):
        shop.fleet().plan()


def test_a_certificate_nobody_uses_cannot_be_rotated(shop: MemoryFleet) -> None:
    shop.deploy()
    with pytest.raises(UnknownName, match="no `tls` called `bolg`"):
        renewal.rotate(shop.fleet(), tls="bolg")
