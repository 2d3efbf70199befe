"""Is a host ready for a deployment? Reach, rights, clock, disk, versions: only asked."""

from __future__ import annotations

import time
from dataclasses import dataclass

from zsops.config.hosts import Machine
from zsops.errors import HostUnreachable
from zsops.facts.clock import SKEW_S_MAX, skew
from zsops.fleet import Fleet
from zsops.host.service import software
from zsops.host.upkeep import HostFacts

_FREE_BYTES_MIN = 256 << 20


@dataclass(frozen=True)
class LiveHost:
    """What was found. `skew_s`: how far the host's clock is ahead of ours. `ms`: of one answer."""

    host: str
    facts: HostFacts | None = None
    skew_s: float = 0.0
    ms: int = 0
    error: HostUnreachable | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What would keep a deployment from going well."""
        if self.error is not None:
            return (self.error.message,)
        assert self.facts is not None
        found = []
        if abs(self.skew_s) > SKEW_S_MAX:
            found.append(f"its clock is {self.skew_s:+.0f} s from ours")
        if self.facts.free_bytes < _FREE_BYTES_MIN:
            found.append(f"only {self.facts.free_bytes >> 20} MiB are free")
        if _version(self.facts.software) != _version(software()):
            found.append(f"it runs {_version(self.facts.software)}, this is {_version(software())}")
        return tuple(found)


def look(fleet: Fleet) -> list[LiveHost]:
    """Every host. One that is out of reach is a finding, no exception."""

    def ask(machine: Machine) -> LiveHost:
        try:
            with fleet.connect(machine) as session:
                began, moment = time.monotonic(), time.time()
                facts = session.facts()
                took = time.monotonic() - began
        except HostUnreachable as error:
            return LiveHost(machine.name, error=error)
        return LiveHost(machine.name, facts, skew(facts.wall, moment, took), round(took * 1000))

    return fleet.each(ask)


def _version(software: str) -> str:
    return " ".join(software.split()[:2])
