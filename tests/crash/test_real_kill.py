"""`kill -9` of the real `zsops-host` after each of its effects, with a daemon that serves.

After each kill the site is the whole old or the whole new release, and the next command works.
"""

from __future__ import annotations

import pytest
from support.deployment import deploy, deploy_over, lease, stage
from support.local_host import PROGRAMS, LocalHost, local_host
from support.polling import wait_until
from support.sites import Site, site

from zsops.errors import HostUnreachable
from zsops.host import messages as m

# One operator run may need this many effects at most; the loop ends by itself before.
EFFECTS_MAX = 200


def _deploy_killed_after(host: LocalHost, what: Site, effect: int) -> bool:
    """A deployment whose `zsops-host` dies after that many effects in all, over its sessions.

    True when it got to its end.
    """
    host.env = {"ZSOPS_HOST_CRASH_TEST": "1", "ZSOPS_HOST_STOP_AFTER": str(effect)}
    try:
        with host.transport.connect() as session:
            # A lease that ends at once: the operator is this test, which lives on.
            token = lease(session, ttl_s=1.0).token
            release = stage(session, token, what).release.release
            request = m.Apply(token, "web", release, what.health(), confirm_window_s=30.0)
            events = list(session.apply(request))
            assert events[-1].outcome is m.Outcome.HEALTHY
            session.confirm(m.Confirm(token, "web", release))
            session.release_lease(token)
    except HostUnreachable:
        return False
    finally:
        host.env = {}
    return True


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("program", PROGRAMS)
def test_kill_after_every_effect_leaves_a_whole_release(program: str) -> None:
    kills = 0
    with local_host(PROGRAMS[program]) as host:
        host.install()
        old = site("serving before")
        deploy(host.transport, old)
        host.supervisor()
        daemon = host.daemon()
        for effect in range(1, EFFECTS_MAX):
            new = site(f"deployment {effect}")
            if _deploy_killed_after(host, new, effect):
                break
            kills += 1
            assert host.page() in (old.page, new.page)
            with host.transport.connect() as session:
                session.break_lease("test", "its operator was killed")
                old = site(f"after kill {effect}")
                done = deploy_over(host.transport, session, old)
            assert done.outcome is m.Outcome.HEALTHY
            assert done.confirmed is not None
            assert host.page(done.release) == old.page
        assert daemon.is_alive(), "the daemon was never restarted: no request was lost to that"
        with host.transport.connect() as session:
            assert session.audit_verify().intact
    print(f"{program}: killed after each of {kills} effects")
    assert 50 < kills < EFFECTS_MAX - 1


@pytest.mark.e2e
@pytest.mark.parametrize("program", PROGRAMS)
def test_killed_in_service_and_unconfirmed_the_host_goes_back_by_itself(program: str) -> None:
    old, new = site("old"), site("new")
    with local_host(PROGRAMS[program]) as host:
        host.install()
        deploy(host.transport, old)
        host.supervisor()
        with host.transport.connect() as session:
            token = lease(session).token
            release = stage(session, token, new).release.release
            request = m.Apply(token, "web", release, new.health(), confirm_window_s=1.0)
            assert list(session.apply(request))[-1].outcome is m.Outcome.HEALTHY
            assert host.page(release) == new.page
        wait_until(lambda: _phase(host) is m.Phase.IDLE, timeout_s=30, what="the revert")
        assert host.page() == old.page


def _phase(host: LocalHost) -> m.Phase:
    with host.transport.connect() as session:
        return session.observe("web").phase
