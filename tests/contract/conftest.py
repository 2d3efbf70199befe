"""The hosts the contract tests run on: one in memory, one real with a fake daemon, one all real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.contract_host import ContractHost
from support.deployment import SETTINGS
from support.local_host import PROGRAMS, local_host

from zsops.host import messages as m
from zsops.transport.memory import MemoryHost, MemoryTransport


@pytest.fixture(params=["memory", *PROGRAMS])
def host(request: pytest.FixtureRequest) -> Iterator[ContractHost]:
    if request.param == "memory":
        memory = MemoryHost()
        transport = MemoryTransport(memory)
        with transport.connect() as session:
            session.install(m.Install("web", SETTINGS))
        yield ContractHost(transport, lambda: memory.advance(1.0))
        return
    with local_host(PROGRAMS[request.param]) as local:
        local.install()
        yield ContractHost(local.transport, lambda: None)
