"""What is left on the host of a site that came alone."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from support.deployment import SETTINGS, deploy, finish, lease
from support.sites import bundled, site

from zsops.errors import Quarantined
from zsops.host import layout
from zsops.host import messages as m
from zsops.transport.memory import MemoryHost, MemoryTransport

ONE, TWO, THREE = site("one"), site("two"), site("three")
HEALTH = m.HealthPolicy(
    successes=1,
    interval_s=0.01,
    timeout_s=2.0,
    checks=(m.StatusCheck("/index.html", host="docs.example"),),
)


def _installed() -> tuple[MemoryHost, MemoryTransport]:
    host = MemoryHost()
    transport = MemoryTransport(host)
    with transport.connect() as session:
        session.install(m.Install("web", SETTINGS))
    return host, transport


def _alone(transport: MemoryTransport, *, retry: bool = False) -> str:
    with transport.connect() as session:
        token = lease(session).token
        request = replace(TWO.stage(token), only_site="docs", retry_quarantined=retry)
        try:
            staged = session.stage(request, io.BytesIO(TWO.tar)).release
        except Quarantined:
            session.release_lease(token)
            raise
        finish(transport, session, token, staged.release, HEALTH)
        return staged.release_digest


def test_its_own_tar_goes_once_it_lies_beside_the_others() -> None:
    host, transport = _installed()
    deploy(transport, bundled(blog=ONE, docs=ONE))
    made = _alone(transport)
    assert host.disk.size(layout.blob(TWO.release_digest)) is None
    assert host.disk.size(layout.blob(made)) is not None


def test_its_own_tar_stays_when_a_release_is_made_of_it() -> None:
    host, transport = _installed()
    deploy(transport, TWO)
    deploy(transport, bundled(blog=ONE, docs=ONE))
    _alone(transport)
    assert host.disk.size(layout.blob(TWO.release_digest)) is not None


def test_a_combination_that_failed_is_not_tried_again_unasked() -> None:
    host, transport = _installed()
    deploy(transport, bundled(blog=ONE, docs=ONE))
    whole = bundled(blog=ONE, docs=TWO)
    host.daemon.serves_badly.add(whole.release_digest)
    _alone(transport)
    host.daemon.serves_badly.clear()
    with pytest.raises(Quarantined):
        _alone(transport)
    assert _alone(transport, retry=True) == whole.release_digest
