"""`python -m bench`: measure, print a table, write `bench/results/`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import latency, report, scaling, scripts
from bench import runaway as endless
from bench.measure import Bench, Effort
from bench.packages import Absent, Program, find
from bench.process import LOAD_CORE, SERVER_CORE
from bench.servers import Server, servers
from bench.workloads import lay

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Returns 0; 1 when our own server or the load generator cannot be measured, or when a second
    loop makes requests dearer.
    """
    arguments = _arguments()
    talk = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        return _refuse(talk, "the bench needs cores 0 and 1: one serves, one asks")
    if arguments.scripts:
        return scripts.show(talk, scripts.measure())
    if arguments.latency or arguments.runaway:
        effort = Effort(arguments.rounds, arguments.seconds)
        return _at_a_rate(talk, effort, runaway=arguments.runaway)
    wrk = find("wrk", ["wrk", "libluajit-5.1-2"])
    if isinstance(wrk, Absent):
        return _refuse(talk, f"the load generator `wrk` is absent: {wrk.reason}")
    effort = Effort(arguments.rounds, arguments.seconds)
    if arguments.scaling:
        with tempfile.TemporaryDirectory(prefix="bench-ground-") as directory:
            ground = lay(Path(directory))
            runs = scaling.compare(ground, wrk, effort, lambda line: talk.print(line, style="dim"))
        return scaling.show(talk, runs)
    known = servers()
    absent = {each.name: each.program.reason for each in known if isinstance(each.program, Absent)}
    present = [each for each in known if each.name not in absent]
    versions = {each.name: each.version() for each in present}
    talk.print("measuring " + ", ".join(f"{name} {text}" for name, text in versions.items()))
    made = _measure(wrk, present, effort, talk, versions, absent)
    target = arguments.output or RESULTS / "last.json"
    target.write_text(json.dumps(made, indent=1) + "\n")
    talk.print(f"wrote {os.path.relpath(target)}")
    if arguments.json:
        sys.stdout.write(json.dumps(made) + "\n")
    return 1 if "zeroserve" in made["absent"] else 0


def _measure(
    wrk: Program,
    present: list[Server],
    effort: Effort,
    talk: Console,
    versions: dict[str, str],
    absent: dict[str, str],
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-ground-") as directory:
        bench = Bench(
            lay(Path(directory)), wrk, present, lambda line: talk.print(line, style="dim")
        )
        runs = bench.all_runs(effort)
        idle = bench.idle_mib()
    made = report.document(runs, idle, versions, absent | bench.faults)
    report.show(talk, runs, made)
    return made


def _at_a_rate(talk: Console, effort: Effort, *, runaway: bool) -> int:
    h2load = find("h2load", ["nghttp2-client"])
    if isinstance(h2load, Absent):
        return _refuse(talk, f"the load generator `h2load` is absent: {h2load.reason}")
    present = [each for each in servers() if isinstance(each.program, Program)]
    with tempfile.TemporaryDirectory(prefix="bench-ground-") as directory:
        ground = lay(Path(directory))

        def tell(line: str) -> None:
            talk.print(line, style="dim")

        if runaway:
            return endless.show(talk, endless.measure(ground, h2load, effort, tell))
        seen = latency.compare(ground, h2load, present, effort, tell)
    return latency.show(talk, seen)


def _refuse(talk: Console, text: str) -> int:
    talk.print(f"error[bench]: {text}", markup=False)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server (default 5)")
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
