"""`python -m bench --scaling`: what a request costs with two loops, beside what it costs with one.

Both have the same two cores, which they share with the load generator: only CPU time is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Clients
from bench.measure import Bench, Effort, Runs
from bench.process import LOAD_CORE, SERVER_CORE
from bench.servers import Server, ours, zeroserve_command
from bench.workloads import FILES, Ground

#: CPU of a request with two loops, in that of a request with one. More would mean that the loops
#: wait for each other; on two cores that the load generator has a share of, some is its doing.
RATIO_WANTED = 1.15
LOOPS = (1, 2)


def servers() -> list[Server]:
    """Ourselves, once for each number of loops."""
    program = ours().program
    return [Server(_name(loops), program, _command(loops), "--version") for loops in LOOPS]


def compare(ground: Ground, clients: Clients, effort: Effort, tell: Callable[[str], None]) -> Runs:
    """One loop, two loops, one loop, two loops, …"""
    return Bench(ground, clients, servers(), tell).all_runs(FILES, effort)


def ratios(runs: Runs) -> dict[str, float]:
    """For each workload the CPU of a request with two loops in that with one: least of each."""
    found = {}
    for workload in FILES:
        one, two = (runs[workload.name].get(_name(loops), []) for loops in LOOPS)
        if one and two:
            least = [min(run.us_per_request for run in each) for each in (one, two)]
            found[workload.name] = least[1] / least[0]
    return found


def show(talk: Console, runs: Runs) -> int:
    """Print the table. 1 when a workload could not be measured or scales worse than wanted."""
    table = Table("workload", "µs, one loop", "µs, two loops", "ratio")
    made = ratios(runs)
    for workload, ratio in made.items():
        least = [min(run.us_per_request for run in runs[workload][_name(n)]) for n in LOOPS]
        table.add_row(workload, *(f"{each:.2f}" for each in least), f"{ratio:.2f}")
    talk.print(table)
    fine = len(made) == len(FILES) and max(made.values()) <= RATIO_WANTED
    talk.print(f"wanted: at most {RATIO_WANTED}" + ("" if fine else ", which is not reached"))
    return 0 if fine else 1


def _name(loops: int) -> str:
    return f"{loops} loop" + ("s" if loops > 1 else "")


def _command(loops: int) -> Callable[[str, Ground, int, Path], list[str]]:
    def command(path: str, ground: Ground, port: int, own: Path) -> list[str]:
        cores = ["taskset", "-c", f"{SERVER_CORE},{LOAD_CORE}"]  # undoes the pinning to one
        return [*cores, *zeroserve_command(path, ground, port, own), "--threads", str(loops)]

    return command
