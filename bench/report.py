"""The table for people and the document for programs."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.measure import Run, Runs, as_json

OTHERS_SHARE_MAX = 0.05


@dataclass(frozen=True)
class Missing:
    """What was not measured, and why: whole servers, and workload -> server -> reason."""

    servers: dict[str, str]
    workloads: dict[str, dict[str, str]]


def document(
    runs: Runs, idle_mib: dict[str, float], versions: dict[str, str], missing: Missing
) -> dict[str, Any]:
    """Everything that was measured, and the ratios that the claims are judged by."""
    return {
        "v": 1,
        "machine": machine(),
        "versions": versions,
        "absent": missing.servers,
        "left_out": {name: each for name, each in missing.workloads.items() if each},
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
    """Print the table, the memory, and what stood in the way."""
    title = "CPU µs a request: the least and the most of the runs"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for head in ("workload", "server"):
        table.add_column(head, no_wrap=True)
    for head in ("CPU µs", "to", "x nginx", "req/s", "p99 ms"):
        table.add_column(head, justify="right", no_wrap=True)
    for workload, by_server in runs.items():
        name = workload
        for server, version in made["versions"].items():
            ratio = made["ratio_to_nginx"][workload].get(server)
            figures = _figures(by_server.get(server, []), ratio)
            table.add_row(name, f"{server} {version}", *figures)
            name = ""
        table.add_section()
    console.print(table)
    sizes = (f"{server} {size:.1f} MiB" for server, size in made["idle_pss_mib"].items())
    console.print(f"idle (PSS): {', '.join(sizes)}", markup=False)
    for line in [*_reasons(made), *_disturbances(runs)]:
        console.print(line, markup=False)


def _figures(runs: list[Run], ratio: float | None) -> tuple[str, ...]:
    if not runs:
        return ("-",) * 5
    best = min(runs, key=lambda run: run.us_per_request)
    return (
        f"{best.us_per_request:.1f}",
        f"{max(run.us_per_request for run in runs):.1f}",
        "-" if ratio is None else f"{ratio:.2f}",
        f"{best.requests_per_s:,.0f}",
        f"{best.p99_ms:.1f}",
    )


def _reasons(made: dict[str, Any]) -> list[str]:
    """Why there is a dash, or no row at all."""
    lines = [f"{server} is absent: {reason}" for server, reason in made["absent"].items()]
    seen: dict[tuple[str, str], list[str]] = {}
    for workload, by_server in made["left_out"].items():
        for each in by_server.items():
            seen.setdefault(each, []).append(workload)
    for (server, reason), workloads in seen.items():
        lines.append(f"{server} is left out of {', '.join(workloads)}: {reason}")
    return lines


def _disturbances(runs: Runs) -> list[str]:
    """What else happened: other programs at work, and answers that were none."""
    lines, busy = [], {}
    for workload, by_server in runs.items():
        for server, each in by_server.items():
            others = max(run.others_share for run in each)
            if others > OTHERS_SHARE_MAX:
                busy[workload] = max(others, busy.get(workload, 0.0))
            if faults := sum(run.faults for run in each):
                lines.append(f"{workload}, {server}: {faults} bad answers")
    if busy:
        shares = ", ".join(f"{workload} {share:.0%}" for workload, share in busy.items())
        lines.append(f"other programs took of the servers' core up to: {shares}")
    return lines
