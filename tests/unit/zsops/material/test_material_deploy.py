"""Certificates that are declared: sent encrypted, switched with the site, kept by a rollback."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.material import NAME, OperatorKey, Pair, keep, make_pair
from support.memory_fleet import MemoryFleet

from zsops.apply.target import Target
from zsops.client.link import Trust
from zsops.host import messages as m
from zsops.host.layout import InstancePaths
from zsops.material.errors import MaterialError
from zsops.plan.model import Plan

CONFIG = f"""\
version: 1
project: shop
tls:
  shop: {{cert: secrets/shop.crt, key: age:secrets/shop.key.age}}
sites:
  hello: {{src: site}}
environments:
  local:
    instances:
      web: {{listen: {{https: "127.0.0.1:8443"}}, sites: {{hello: [{NAME}]}}, tls: shop}}
"""
PATHS = InstancePaths("web")


@pytest.fixture
def shop(tmp_path: Path, operator: OperatorKey) -> MemoryFleet:
    made = MemoryFleet.make(tmp_path, CONFIG)
    keep(tmp_path, make_pair(NAME), operator.recipient)
    return made


def _renew(shop: MemoryFleet, operator: OperatorKey, days: float = 90.0) -> Pair:
    pair = make_pair(NAME, days=days)
    keep(shop.directory, pair, operator.recipient)
    return pair


def _served(shop: MemoryFleet) -> tuple[bytes, bytes]:
    loaded = shop.host.daemon.running["web"]
    return loaded.cert, loaded.key


def _current(shop: MemoryFleet) -> m.ReleaseInfo:
    found = shop.host.service().observe("web").current
    assert found is not None
    return found


def test_certificate_and_key_go_with_the_release(shop: MemoryFleet, operator: OperatorKey) -> None:
    pair = _renew(shop, operator)
    done = shop.deploy()
    assert done.exit == 0
    assert _served(shop) == (pair.cert, pair.key)
    now = _current(shop)
    assert now.certificate is not None
    assert now.certificate.names == (NAME,)
    again = shop.deploy()
    assert (again.exit, again.host.outcome) == (0, "unchanged")


def test_a_new_certificate_alone_is_a_new_release(shop: MemoryFleet, operator: OperatorKey) -> None:
    shop.deploy()
    before = _current(shop)
    pair = _renew(shop, operator)
    plan: Plan = shop.fleet().plan()
    (step,) = plan.instances
    assert (step.switches, step.upload, step.changes) == (True, 0, ())
    assert step.secrets.changes
    assert pair.key.decode().splitlines()[1] not in plan.model_dump_json()
    assert shop.deploy().exit == 0
    assert _served(shop) == (pair.cert, pair.key)
    assert _current(shop).release_digest == before.release_digest
    assert _current(shop).release != before.release


def test_rollback_keeps_the_secrets_in_service(shop: MemoryFleet, operator: OperatorKey) -> None:
    first = _renew(shop, operator)
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    second = _renew(shop, operator)
    shop.deploy()
    assert shop.rollback().exit == 0
    assert b"<title>one" in shop.page()
    assert _served(shop) == (second.cert, second.key)
    # By name and with its secrets it is the whole of the old release.
    (oldest, *_) = [each for each in shop.host.service().observe("web").releases if each.number]
    assert shop.rollback(oldest.release, with_secrets=True).exit == 0
    assert _served(shop) == (first.cert, first.key)


def test_who_cannot_open_the_key_can_still_deploy_the_site(
    shop: MemoryFleet, operator: OperatorKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = _renew(shop, operator)
    shop.deploy()
    monkeypatch.setenv("ZSOPS_AGE_IDENTITY", str(OperatorKey.make(shop.directory / "other").file))
    shop.write(**{"index.html": "<title>two</title>"})
    assert shop.deploy().exit == 0
    assert b"<title>two" in shop.page()
    assert _served(shop) == (pair.cert, pair.key)
    # New material that neither this operator nor the host can open is refused, and by name.
    _renew(shop, operator)
    done = shop.deploy()
    assert done.exit == 8
    assert done.host.error is not None
    assert done.host.error.code == "material-refused"
    assert _served(shop) == (pair.cert, pair.key)


def test_what_is_encrypted_to_the_host_needs_no_operator_key(
    shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recipient,) = shop.host.service().recipients()
    pair = make_pair(NAME)
    keep(shop.directory, pair, recipient)
    monkeypatch.setenv("ZSOPS_AGE_IDENTITY", str(OperatorKey.make(shop.directory / "other").file))
    assert shop.deploy().exit == 0
    assert _served(shop) == (pair.cert, pair.key)


def test_a_bad_certificate_is_refused_before_any_host(
    shop: MemoryFleet, operator: OperatorKey
) -> None:
    shop.deploy()
    _renew(shop, operator, days=-1)
    with pytest.raises(MaterialError, match="expired"):
        shop.deploy()
    other = make_pair("elsewhere.example")
    keep(shop.directory, other, operator.recipient)
    with pytest.raises(MaterialError, match=f"is not for `{NAME}`"):
        shop.deploy()
    keep(shop.directory, Pair(make_pair(NAME).cert, other.key), operator.recipient)
    with pytest.raises(MaterialError, match="does not belong"):
        shop.deploy()


def test_few_days_left_are_a_warning(shop: MemoryFleet, operator: OperatorKey) -> None:
    _renew(shop, operator, days=20)
    (step,) = shop.fleet().plan().instances
    assert step.warnings == ("certificate `shop` expires in 20 d",)


def test_another_leaf_of_the_same_issuer_is_not_healthy(
    shop: MemoryFleet, operator: OperatorKey
) -> None:
    """A daemon that goes on with the old certificate is found out, though both verify."""
    shop.deploy()
    old = _served(shop)[0]
    _renew(shop, operator)
    daemon = shop.host.daemon
    load = daemon._load

    def stale(instance: str) -> object:
        loaded = load(instance)
        assert not isinstance(loaded, str)
        return type(loaded)(**{**vars(loaded), "shown": old})

    daemon._load = stale  # type: ignore[method-assign]
    done = shop.deploy()
    assert done.exit in (8, 10)
    assert done.host.error is not None
    assert "shows certificate" in done.host.error.message


def test_failed_material_is_not_held_against_the_site(
    shop: MemoryFleet, operator: OperatorKey
) -> None:
    shop.deploy()
    bad = _renew(shop, operator)
    shop.host.daemon.refuses_cert[bad.cert] = "a certificate that the daemon does not like"
    assert shop.deploy().exit == 8
    refused = shop.deploy()
    assert refused.host.error is not None
    assert refused.host.error.code == "quarantined"
    good = _renew(shop, operator)
    assert shop.deploy().exit == 0
    assert _served(shop) == (good.cert, good.key)


def test_a_plain_key_that_all_can_read_is_refused(tmp_path: Path, operator: OperatorKey) -> None:
    shop = MemoryFleet.make(tmp_path, CONFIG.replace("age:secrets/shop.key.age", "plain.key"))
    pair = make_pair(NAME)
    keep(tmp_path, pair, operator.recipient)
    (tmp_path / "plain.key").write_bytes(pair.key)
    (tmp_path / "plain.key").chmod(0o644)
    with pytest.raises(MaterialError, match="everybody on this machine"):
        shop.deploy()
    (tmp_path / "plain.key").chmod(0o600)
    assert shop.deploy().exit == 0


def test_the_key_is_for_the_daemon_alone(shop: MemoryFleet) -> None:
    shop.deploy()
    home = PATHS.release(_current(shop).release)
    for secret in (f"{home}/tls/key.pem", "identity.age"):
        node = shop.host.disk._find(secret)
        assert getattr(node, "mode", None) == 0o600


def test_the_authority_of_a_certificate_is_read_before_any_host_is_asked(
    tmp_path: Path, operator: OperatorKey
) -> None:
    config = CONFIG.replace("tls:\n  shop: {", "tls:\n  shop: {ca: ca.pem, ")
    shop = MemoryFleet.make(tmp_path, config)
    keep(tmp_path, make_pair(NAME), operator.recipient)
    with pytest.raises(MaterialError, match="No such file") as missing:
        shop.fleet().plan()
    assert missing.value.hint == "`ca` of `tls` names a PEM file, or is `system`"
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(MaterialError, match="holds no certificate of an authority"):
        shop.fleet().plan()
    (tmp_path / "ca.pem").write_bytes(make_pair("An Authority", ca=True).cert)
    seen: list[Target] = []
    shop.probe = seen.append
    assert shop.deploy().exit == 0
    assert [each.authorities for each in seen] == [(Trust((tmp_path / "ca.pem",)),)]
