"""What the kernel tells about a process, read from /proc."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """A process's memory in KiB.

    `pss` shares pages out among all who map them: it falls when another server or Python starts
    and rises when one ends (1.2 MB by four of them). `rss` and `anonymous` are the process's own
    doing.
    """

    pss: int
    rss: int
    anonymous: int

    def grown(self, since: Memory) -> int:
        """KiB by which it has grown by itself, whatever runs beside it."""
        return max(self.rss - since.rss, self.anonymous - since.anonymous)


def memory(pid: int) -> Memory:
    """What the process holds now."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    return Memory(sizes["Pss"], sizes["Rss"], sizes["Anonymous"])


def pss_kb(pid: int) -> int:
    """Proportional set size in KiB: private pages, and the process's share of shared ones."""
    return memory(pid).pss


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


def cpu_ticks(pid: int, tid: int | None = None) -> int:
    """User and system time of a thread, or of the whole process, in ticks of the kernel's clock."""
    where = f"/proc/{pid}" if tid is None else f"/proc/{pid}/task/{tid}"
    # The name in brackets may hold spaces; what is counted begins behind it.
    fields = Path(where, "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def rss_kb(pid: int) -> int:
    """Resident set size in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/status has no VmRSS line")
