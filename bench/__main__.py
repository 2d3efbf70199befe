"""`python -m bench`: measure, print a table, write `bench/results/`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import latency, report, scaling, scripts
from bench import runaway as endless
from bench.load import Clients, find_clients
from bench.measure import Bench, Effort
from bench.packages import Absent
from bench.process import LOAD_CORE, SERVER_CORE
from bench.servers import servers
from bench.workloads import WORKLOADS, Ground, lay

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Returns 0; 1 when our own server could not be measured under each workload, or when a figure
    is worse than wanted.
    """
    arguments = _arguments()
    talk = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        return _refuse(talk, "the bench needs cores 0 and 1: one serves, one asks")
    if arguments.scripts:
        figures = scripts.measure()
        if arguments.json:
            sys.stdout.write(json.dumps(figures.document()) + "\n")
        return scripts.show(talk, figures)
    clients = find_clients()
    wanted = clients.h2load if arguments.latency or arguments.runaway else clients.wrk
    if isinstance(wanted, Absent):
        return _refuse(talk, f"the load generator is absent: {wanted.reason}")

    with tempfile.TemporaryDirectory(prefix="bench-ground-") as directory:
        return _measure(arguments, talk, lay(Path(directory)), clients)


def _measure(arguments: argparse.Namespace, talk: Console, ground: Ground, clients: Clients) -> int:
    def tell(line: str) -> None:
        talk.print(line, style="dim")

    effort = Effort(arguments.rounds, arguments.seconds)
    if arguments.scaling:
        return scaling.show(talk, scaling.compare(ground, clients, effort, tell))
    if arguments.latency:
        return latency.show(talk, latency.compare(ground, clients, effort, tell))
    if arguments.runaway:
        return endless.show(talk, endless.measure(ground, clients, effort, tell))
    made = _compare(ground, clients, effort, talk, tell)
    target = arguments.output or RESULTS / "last.json"
    target.write_text(json.dumps(made, indent=1) + "\n")
    talk.print(f"wrote {os.path.relpath(target)}")
    if arguments.json:
        sys.stdout.write(json.dumps(made) + "\n")
    return 0 if all("zeroserve" in each for each in made["runs"].values()) else 1


def _compare(
    ground: Ground, clients: Clients, effort: Effort, talk: Console, tell: Callable[[str], None]
) -> dict[str, Any]:
    known = servers()
    absent = {each.name: each.program.reason for each in known if isinstance(each.program, Absent)}
    present = [each for each in known if each.name not in absent]
    versions = {each.name: each.version() for each in present}
    talk.print("measuring " + ", ".join(f"{name} {text}" for name, text in versions.items()))
    bench = Bench(ground, clients, present, tell)
    runs = bench.all_runs(WORKLOADS, effort)
    left_out = {workload.name: bench.left_out(workload) for workload in WORKLOADS}
    idle = bench.idle_mib()
    missing = report.Missing(absent, left_out)
    made = report.document(runs, idle, versions, missing)
    report.show(talk, runs, made)
    return made


def _refuse(talk: Console, text: str) -> int:
    talk.print(f"error[bench]: {text}", markup=False)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="runs of each server (default 4)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run (default 2)")
    parser.add_argument("--json", action="store_true", help="also print the document to stdout")
    parser.add_argument("--scaling", action="store_true", help="one loop beside two instead")
    parser.add_argument("--latency", action="store_true", help="times at a fixed rate instead")
    parser.add_argument("--scripts", action="store_true", help="what scripts cost instead")
    parser.add_argument("--runaway", action="store_true", help="what one endless script does")
    parser.add_argument("--output", type=Path, help="write the document here instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
