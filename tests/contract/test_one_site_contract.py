"""One of several sites is deployed alone: the host keeps the others as they are."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from support.contract_host import ContractHost
from support.deployment import Deployed, finish, lease, stage
from support.material import make_pair, sealed_to
from support.sites import Site, bundled, site

from zsops import errors
from zsops.host import messages as m
from zsops.transport.base import HostSession

ONE, TWO, BIG = site("one"), site("two"), site("big", padding=40_000)
#: Whether the release is served at all: not every daemon here knows hosts.
HEALTH = m.HealthPolicy(successes=1, interval_s=0.01, timeout_s=2.0)


def _stage(session: HostSession, token: int, what: Site, name: str) -> m.Staged:
    request = replace(what.stage(token), only_site=name)
    return session.stage(request, io.BytesIO(what.tar))


def _deploy(host: ContractHost, what: Site) -> Deployed:
    with host.transport.connect() as session:
        token = lease(session).token
        release = stage(session, token, what).release.release
        return finish(host.transport, session, token, release, HEALTH)


def _deploy_alone(host: ContractHost, what: Site, name: str) -> Deployed:
    with host.transport.connect() as session:
        token = lease(session).token
        release = _stage(session, token, what, name).release.release
        return finish(host.transport, session, token, release, HEALTH)


def test_the_other_sites_stay_and_the_bytes_are_those_of_all_together(host: ContractHost) -> None:
    _deploy(host, bundled(blog=ONE, docs=BIG))
    with host.transport.connect() as session:
        token = lease(session).token
        staged = _stage(session, token, TWO, "blog")
        assert staged.received <= len(TWO.tar)
        assert _stage(session, token, TWO, "blog") == m.Staged(staged.release, 0)
        done = finish(host.transport, session, token, staged.release.release, HEALTH)
        current = session.observe("web").current
        told = [(each.event, each.detail) for each in session.history("web", 50)]
    whole = bundled(blog=TWO, docs=BIG)
    assert done.outcome is m.Outcome.HEALTHY
    assert current is not None
    assert (current.release_digest, current.sites) == (whole.release_digest, whole.sites)
    assert ("committed", "site blog") in told
    # So a later deployment of them all has nothing to do.
    with host.transport.connect() as session:
        assert session.daemon_status("web").release_digest == whole.release_digest


def test_sites_follow_each_other_and_a_rollback_takes_the_last_one_back(host: ContractHost) -> None:
    _deploy(host, bundled(blog=ONE, docs=ONE))
    _deploy_alone(host, TWO, "blog")
    _deploy_alone(host, TWO, "docs")
    with host.transport.connect() as session:
        token = lease(session).token
        staged = session.prepare_rollback(m.PrepareRollback(token, "web"))
        finish(host.transport, session, token, staged.release.release, HEALTH)
        current = session.observe("web").current
    assert current is not None
    assert current.release_digest == bundled(blog=TWO, docs=ONE).release_digest


def test_certificate_and_key_in_service_stay(host: ContractHost) -> None:
    both = bundled(blog=ONE, docs=ONE)
    with host.transport.connect() as session:
        token = lease(session).token
        material = sealed_to(session.recipients(), make_pair("localhost"))
        request = replace(both.stage(token), material=material)
        release = session.stage(request, io.BytesIO(both.tar)).release.release
        finish(host.transport, session, token, release, HEALTH)
    _deploy_alone(host, TWO, "docs")
    with host.transport.connect() as session:
        old, new = sorted(session.observe("web").releases, key=lambda each: each.number)[-2:]
    assert new.material == material.source
    assert new.secrets_digest == old.secrets_digest


@pytest.mark.parametrize("before", [ONE, bundled(blog=ONE, docs=ONE)])
def test_a_site_the_host_does_not_have_beside_others_is_refused(
    host: ContractHost, before: Site
) -> None:
    _deploy(host, before)
    with host.transport.connect() as session:
        token = lease(session).token
        with pytest.raises(errors.NoSuchRelease, match="no site `shop` beside others"):
            _stage(session, token, TWO, "shop")
        assert session.observe("web").phase is m.Phase.IDLE
        session.release_lease(token)
    assert _deploy(host, bundled(blog=TWO, docs=ONE)).outcome is m.Outcome.HEALTHY
