"""`tls status` and `tls rotate` on hosts in memory: the same site, other secrets, no surprises."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.deployment import lease
from support.material import NAME, OperatorKey, Pair, keep, make_pair
from support.memory_fleet import Ended, MemoryFleet, ended

from zsops import renewal
from zsops.errors import UsageError
from zsops.host.layout import InstancePaths
from zsops.host.upkeep import Heal
from zsops.transport.memory import MemoryTransport

CONFIG = f"""\
version: 1
project: shop
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
sites:
  hello: {{src: site}}
strategies:
  whole: {{waves: [one, 100%], batch: 1, on_fail: revert_wave}}
environments:
  prod:
    strategy: whole
    hosts:
      web1: {{addr: 192.0.2.1, groups: [one]}}
      web2: {{addr: 192.0.2.2, groups: [one]}}
      web3: {{addr: 192.0.2.3}}
    instances:
      web: {{listen: {{https: ":8443"}}, sites: {{hello: [{NAME}]}}, tls: shop}}
"""


@pytest.fixture
def shop(tmp_path: Path, operator: OperatorKey) -> MemoryFleet:
    made = MemoryFleet.make(tmp_path, CONFIG)
    keep(tmp_path, make_pair(NAME), operator.recipient)
    return made


def _renew(shop: MemoryFleet, operator: OperatorKey, days: float = 90) -> Pair:
    pair = make_pair(NAME, days=days)
    keep(shop.directory, pair, operator.recipient)
    return pair


def _rotate(shop: MemoryFleet) -> Ended:
    return ended(renewal.rotate(shop.fleet()))


def _shown(shop: MemoryFleet) -> list[bytes]:
    return [shop.of(f"web{at}").daemon.running["web"].cert for at in (1, 2, 3)]


def test_rotation_brings_secrets_and_leaves_the_site(
    shop: MemoryFleet, operator: OperatorKey
) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>not to be deployed</title>"})
    pair = _renew(shop, operator)
    done = _rotate(shop)
    assert done.exit == 0
    assert _shown(shop) == [pair.cert] * 3
    assert b"<title>one" in shop.page("web1")
    assert done.summary.sent == 0


def test_a_rotation_that_was_cut_off_is_run_again(shop: MemoryFleet, operator: OperatorKey) -> None:
    shop.deploy()
    pair = _renew(shop, operator)
    shop.of("web3").reachable = False
    cut_off = _rotate(shop)
    assert cut_off.exit == 9
    assert cut_off.outcomes["web3"] == "unreachable"
    shop.of("web3").reachable = True
    assert _rotate(shop).exit == 0
    again = _rotate(shop)
    assert set(again.outcomes.values()) == {"unchanged"}
    assert _shown(shop) == [pair.cert] * 3


def test_a_failed_wave_goes_back_to_its_old_certificate(
    shop: MemoryFleet, operator: OperatorKey
) -> None:
    shop.deploy()
    before = _shown(shop)
    bad = _renew(shop, operator)
    shop.of("web2").daemon.refuses_cert[bad.cert] = "it does not like this one"
    done = _rotate(shop)
    assert done.exit == 8
    assert done.outcomes == {"web1": "reverted", "web2": "reverted", "web3": "not_started"}
    assert _shown(shop) == before


def test_status_says_what_needs_something(shop: MemoryFleet, operator: OperatorKey) -> None:
    shop.deploy()

    def states() -> list[tuple[str, int | None]]:
        return [(each.state, each.days) for each in renewal.certificates(shop.fleet())]

    assert states() == [("good", 90)] * 3
    _renew(shop, operator, days=10)
    assert states() == [("outdated", 90)] * 3
    _rotate(shop)
    assert states() == [("soon", 10)] * 3


def test_without_a_declared_certificate_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    plain = MemoryFleet.make(tmp_path)
    plain.deploy()
    assert [each.state for each in renewal.certificates(plain.fleet())] == ["own"]
    with pytest.raises(UsageError, match="no instance"):
        _rotate(plain)


def test_a_daemon_with_the_old_certificate_is_drift_and_is_healed(
    shop: MemoryFleet, operator: OperatorKey
) -> None:
    shop.deploy()
    host, paths = shop.of("web1"), InstancePaths("web")
    old = host.service().observe("web").current
    assert old is not None
    pair = _renew(shop, operator)
    _rotate(shop)
    new = host.disk.read_link(paths.current)
    assert new is not None
    for target in (f"releases/{old.release}", new):
        host.disk.unlink(paths.current)
        host.disk.symlink(target, paths.current)
        if target != new:
            assert host.daemon.reload("web", old.release_digest, 1.0).ok
    drift = host.service().observe("web").drift
    assert drift == f"the daemon serves {old.release}, `current` is {new.removeprefix('releases/')}"
    token = lease(MemoryTransport(host).connect()).token
    host.service().heal(Heal(token, "web"))
    assert host.daemon.running["web"].cert == pair.cert
    assert host.service().observe("web").drift is None
