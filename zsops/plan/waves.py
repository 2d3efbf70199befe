"""Waves: who comes after whom. Pure; a wave is a set of hosts, in work `batch` at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zsops.config.hosts import Machine
from zsops.config.selector import select
from zsops.config.strategy import Strategy, hosts_of


@dataclass(frozen=True)
class Wave:
    """Some hosts; at most `batch` of them are in transit at any time."""

    hosts: tuple[str, ...]
    batch: int


@dataclass(frozen=True)
class Rollout:
    """A strategy on the hosts in scope. Times in seconds."""

    waves: tuple[Wave, ...]
    fail_max: int = 0
    unreachable_max: int = 0
    soak_s: float = 0.0
    revert_wave: bool = False
    waits_after_first: bool = False


def rollout(machines: Sequence[Machine], strategy: Strategy) -> Rollout:
    """Spread the hosts over the strategy's waves. Each host is in the first that means it.

    Numbers and percentages count all hosts, those of earlier waves included. Hosts that no wave
    means come last, in a wave of their own: none is left out.
    """
    waves: list[Wave] = []
    done: set[str] = set()
    for spec in (*strategy.waves, "100%"):
        rest = [each for each in machines if each.name not in done]
        if spec[0].isdigit():
            fresh = rest[: max(0, hosts_of(spec, len(machines)) - len(done))]
        else:
            fresh = list(select(spec, rest))
        if fresh:
            names = tuple(each.name for each in fresh)
            waves.append(Wave(names, hosts_of(strategy.batch, len(names))))
            done.update(names)
    return Rollout(
        waves=tuple(waves),
        fail_max=strategy.max_fail.count,
        unreachable_max=strategy.max_fail.unreachable,
        soak_s=(strategy.soak or 0) / 1000,
        revert_wave=strategy.on_fail == "revert_wave",
        waits_after_first=strategy.promote == "manual",
    )
