"""A change of daemons whose host runs out of space, or which is asked for what cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.crash_rig import Operator
from support.deployment import SETTINGS
from support.sites import site

from zsops.errors import BadRequest, DiskFull
from zsops.host import messages as m
from zsops.host.effects import Effect, SwapSlot
from zsops.host.layout import AUDIT
from zsops.host.service import HostService
from zsops.transport.memory import MemoryHost

_HEALTH = m.HealthPolicy(successes=1, timeout_s=1.0)


def _ready() -> tuple[MemoryHost, Operator]:
    """An instance that runs 2.0.0, with 3.0.0 installed beside it."""
    host = MemoryHost()
    operator = Operator(host.service(), host.world, 1)
    operator.service.install(m.Install("web", SETTINGS))
    operator.deploy(site("one"))
    assert operator.upgrade("3.0.0") is m.Outcome.COMMITTED
    assert operator.upgrade("2.0.0") is m.Outcome.COMMITTED
    return host, operator


def test_a_disk_that_fills_up_when_it_takes_over_leads_back() -> None:
    host, operator = _ready()

    def fills(effect: Effect[object]) -> None:
        host.disk.full = host.disk.full or isinstance(effect, SwapSlot)

    service = HostService(host.world, "", fills)
    request = m.Upgrade(operator.take(), "web", "3.0.0", _HEALTH)
    assert service.upgrade(request) is m.Outcome.REVERTED
    assert host.world.daemon.status("web").version == "2.0.0"
    last = service.history("web", 1)[-1]
    assert last.event == "daemon-upgrade-failed"
    assert "the choice of version cannot be written" in last.detail
    host.reboot()
    assert host.world.daemon.status("web").version == "2.0.0"


def test_a_full_disk_is_told_before_anything_moves() -> None:
    host, operator = _ready()
    token = operator.take()
    written = (host.disk.read(AUDIT) or b"").rstrip(b"\0")
    host.disk.unlink(AUDIT)
    host.disk.write(AUDIT, written, 0o640)  # without the room that was kept for it
    host.disk.full = True
    before = host.world.daemon.status("web")
    with pytest.raises(DiskFull, match="full"):
        operator.service.upgrade(m.Upgrade(token, "web", "3.0.0", _HEALTH))
    assert host.world.daemon.status("web") == before


def test_a_health_policy_out_of_bounds_is_refused() -> None:
    host, operator = _ready()
    before = host.world.daemon.status("web")
    endless = replace(_HEALTH, successes=0)
    with pytest.raises(BadRequest, match="successes"):
        operator.service.upgrade(m.Upgrade(operator.take(), "web", "3.0.0", endless))
    assert host.world.daemon.status("web") == before
