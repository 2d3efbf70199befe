"""CPU time and memory of a process tree, and of a core, as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Reading:
    """One look. All in seconds."""

    at: float
    tree_cpu: float
    core_busy: float
    core_steal: float


def read(pid: int, core: int) -> Reading:
    """Look at the tree below `pid` and at `core` now."""
    busy, steal = _core(core)
    return Reading(time.monotonic(), _tree_cpu_s(pid), busy, steal)


@dataclass(frozen=True)
class Spent:
    """What happened between two readings. `others` and `steal` are shares of the core, 0 to 1."""

    cpu_s: float
    others: float
    steal: float


def spent(before: Reading, after: Reading) -> Spent:
    """The difference of two readings of one tree on one core."""
    wall = after.at - before.at
    cpu = after.tree_cpu - before.tree_cpu
    others = (after.core_busy - before.core_busy - cpu) / wall
    return Spent(cpu, max(0.0, others), (after.core_steal - before.core_steal) / wall)


def pss_mib(pid: int) -> float:
    """Proportional set size of the whole tree, in MiB: pages shared with others count in part."""
    total_kb = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
            found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
            total_kb += int(found[1]) if found else 0
    return total_kb / 1024


def tree(pid: int) -> list[int]:
    """`pid` and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found, open_ends = [pid], [pid]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += below
    return found


def _tree_cpu_s(pid: int) -> float:
    ticks = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            fields = _stat(each)
            ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
    return ticks * _TICK_S


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from `state` on: the name before may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _core(core: int) -> tuple[float, float]:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _idle, _wait, irq, soft, steal = (
                int(each) for each in line.split()[1:9]
            )
            return (user + nice + system + irq + soft) * _TICK_S, steal * _TICK_S
    raise RuntimeError(f"this machine has no core {core}")
