"""What the kernel tells about a process, read from /proc."""

from __future__ import annotations

import contextlib
from pathlib import Path


def pss_kb(pid: int) -> int:
    """Proportional set size in KiB: private pages, and the process's share of shared ones."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/smaps_rollup has no Pss line")


def descriptors(pid: int) -> dict[int, str]:
    """Open descriptors and what they point to."""
    found: dict[int, str] = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed while we looked
            found[int(entry.name)] = str(entry.readlink())
    return found


def threads(pid: int) -> dict[int, str]:
    """Thread ids and their names."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found[int(task.name)] = (task / "comm").read_text().strip()
    return found


def loop_threads(pid: int) -> list[int]:
    """Thread ids of the event loops."""
    return sorted(tid for tid, name in threads(pid).items() if name.startswith("zs-loop-"))
