"""`python -m bench --scripts`: what a script adds to a request, and what its time slice costs.

In process, since both are below a machine's noise: the same requests are answered again and again
without sockets, with and without a script, in turns; the median counts. Processor time only.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.workloads import SCRIPTS, Site
from zeroserve.bridge.dry_run import DryRun
from zeroserve.pack.archive import PackOptions, pack

RUNS = 1_000_000
ROUNDS = 9
#: Runs of the script that works for long.
LONG_RUNS = 60
#: A small script may add this to a request, in nanoseconds.
ADDED_WANTED = 500
#: The default time slice may cost this, beside the longest that anybody sets.
SLICE_WANTED = 0.03
SLICES_MS = (2, 10)

PAGE = b"<!doctype html>\n" + b"x" * 158

#: FNV-1a over and over: about 20 ms, so that each slice ends many times.
LONG = """
#include <zeroserve.h>

static const char text[] = "the quick brown fox jumps over the lazy dog";

ZS_ENTRY zs_u64 entry(void) {
  zs_u64 hash = 14695981039346656037ULL;
  for (int round = 0; round < 300000; round++)
    for (zs_u64 at = 0; at < sizeof text; at++) hash = (hash ^ (zs_u8)text[at]) * 1099511628211ULL;
  zs_respond(200, &hash, sizeof hash);
  return 0;
}
"""


@dataclass(frozen=True)
class Figures:
    """Nanoseconds of a request without and with the small script; of the long one by slice."""

    without: float
    with_script: float
    slices: dict[int, float]

    @property
    def added(self) -> float:
        """What the small script adds, in nanoseconds."""
        return self.with_script - self.without

    @property
    def slice_cost(self) -> float:
        """What the default slice costs beside the longer one, as a part of it."""
        short, long = (self.slices[each] for each in SLICES_MS)
        return short / long - 1

    def document(self) -> dict[str, object]:
        """For programs; the cost is a part of one."""
        return {
            "v": 1,
            "small_script_added_us": round(self.added / 1e3, 4),
            "default_slice_cost": round(self.slice_cost, 4),
        }


def measure() -> Figures:
    """Pack three sites, and ask them in turns."""
    with tempfile.TemporaryDirectory(prefix="bench-scripts-") as directory:
        place = Path(directory)
        plain, header, long = (
            _tar(place, name, source)
            for name, source in (("plain", None), ("header", SCRIPTS[Site.HEADER]), ("long", LONG))
        )
        with (
            _opened(plain, SLICES_MS[0]) as without,
            _opened(header, SLICES_MS[0]) as with_script,
            _opened(long, SLICES_MS[0]) as short_slice,
            _opened(long, SLICES_MS[1]) as long_slice,
        ):
            small = _in_turns([without, with_script], RUNS)
            spinning = _in_turns([short_slice, long_slice], LONG_RUNS)
    return Figures(small[0], small[1], dict(zip(SLICES_MS, spinning, strict=True)))


def show(talk: Console, figures: Figures) -> int:
    """Print the table. 1 when a figure is worse than wanted."""
    table = Table("", "measured", "wanted")
    table.add_row("a request without scripts", f"{figures.without:.0f} ns", "")
    table.add_row("with a script that sets a header", f"{figures.with_script:.0f} ns", "")
    table.add_row("so the script adds", f"{figures.added:.0f} ns", f"≤ {ADDED_WANTED} ns")
    for slice_ms, nanoseconds in figures.slices.items():
        table.add_row(f"a long script, slices of {slice_ms} ms", f"{nanoseconds / 1e6:.2f} ms", "")
    cost = f"{figures.slice_cost * 100:+.1f} %"
    table.add_row("so the default slice costs", cost, f"≤ {SLICE_WANTED * 100:.0f} %")
    talk.print(table)
    return int(figures.added > ADDED_WANTED or figures.slice_cost > SLICE_WANTED)


def _tar(place: Path, name: str, source: str | None) -> Path:
    tree, tar = place / name, place / f"{name}.tar"
    tree.mkdir()
    (tree / "index.html").write_bytes(PAGE)
    if source is not None:
        scripts = tree / ".zeroserve" / "scripts"
        scripts.mkdir(parents=True)
        (scripts / "script.c").write_text(source)
    with tar.open("wb") as file:
        pack(tree, file, PackOptions())
    return tar


def _opened(tar: Path, slice_ms: int) -> DryRun:
    descriptor = os.open(tar, os.O_RDONLY)
    try:
        spec = {
            "generation": {"id": 1, "site": {"fd": descriptor, "path": tar.name}},
            "scripts": {"time_slice_ms": slice_ms},
            "notes": False,
        }
        return DryRun(json.dumps(spec).encode())
    finally:
        os.close(descriptor)


def _in_turns(sites: list[DryRun], runs: int) -> list[float]:
    """Nanoseconds of a request on each site, the median of all rounds."""
    request = json.dumps({"method": "GET", "target": "/index.html"}).encode()
    seen: list[list[float]] = [[] for _ in sites]
    for site in sites:
        site.measure(request, runs // 20)
    for _ in range(ROUNDS):
        for site, figures in zip(sites, seen, strict=True):
            figures.append(site.measure(request, runs))
    return [statistics.median(each) for each in seen]
