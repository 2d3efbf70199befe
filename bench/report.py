"""The table for people and the document for programs."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.measure import Run, Runs, as_json

OTHERS_SHARE_MAX = 0.05


def document(
    runs: Runs, idle_mib: dict[str, float], versions: dict[str, str], absent: dict[str, str]
) -> dict[str, Any]:
    """Everything that was measured, and the ratios that the claims are judged by."""
    return {
        "v": 1,
        "machine": machine(),
        "versions": versions,
        "absent": absent,
        "least_us_per_request": {
            workload: {name: round(least(each), 2) for name, each in by_server.items()}
            for workload, by_server in runs.items()
        },
        "ratio_to_nginx": {workload: ratios(by_server) for workload, by_server in runs.items()},
        "idle_pss_mib": {name: round(size, 2) for name, size in idle_mib.items()},
        "runs": as_json(runs),
    }


def least(runs: list[Run]) -> float:
    """CPU µs a request of the least disturbed run: a disturbance only ever adds."""
    return min(run.us_per_request for run in runs)


def ratios(by_server: dict[str, list[Run]]) -> dict[str, float]:
    """Each server's least to nginx's; empty when nginx was not measured."""
    if "nginx" not in by_server:
        return {}
    base = least(by_server["nginx"])
    return {name: round(least(each) / base, 3) for name, each in by_server.items()}


def machine() -> dict[str, str]:
    """What it was measured on, without the machine's name."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    cores = len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE))
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": str(cores),
        "kernel": platform.release(),
    }


def show(console: Console, runs: Runs, made: dict[str, Any]) -> None:
    """Print a table a workload, and the memory."""
    for workload, by_server in runs.items():
        table = Table(title=f"{workload} (CPU µs a request)", title_justify="left", box=box.SIMPLE)
        table.add_column("server", no_wrap=True)
        for head in ("CPU µs", "to", "x nginx", "req/s", "p99 ms", "idle MiB"):
            table.add_column(head, justify="right", no_wrap=True)
        for name, each in by_server.items():
            ratio = made["ratio_to_nginx"][workload].get(name)
            size = made["idle_pss_mib"].get(name)
            best = min(each, key=lambda run: run.us_per_request)
            table.add_row(
                f"{name} {made['versions'][name]}",
                f"{best.us_per_request:.1f}",
                f"{max(run.us_per_request for run in each):.1f}",
                "-" if ratio is None else f"{ratio:.2f}",
                f"{best.requests_per_s:,.0f}",
                f"{best.p99_ms:.1f}",
                "-" if size is None else f"{size:.1f}",
            )
        console.print(table)
        for name, each in by_server.items():
            if note := _note(each):
                console.print(f"  {name}: {note}", markup=False)
    for name, reason in made["absent"].items():
        console.print(f"{name} is absent: {reason}", markup=False)


def _note(runs: list[Run]) -> str:
    notes = []
    others = max(run.others_share for run in runs)
    if others > OTHERS_SHARE_MAX:
        notes.append(f"other programs took up to {others:.0%} of its core")
    if faults := sum(run.faults for run in runs):
        notes.append(f"{faults} bad answers")
    return "; ".join(notes)
