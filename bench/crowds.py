"""`PYTHONPATH=tests python -m bench.crowds`: what slow clients cost the others.

The load of `bench.latency` on a server of our own, in turns with and without a crowd beside it: a
thousand clients that send their request one byte at a time, or two hundred that read a little now
and then. No time limit of the server's thins the crowd out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from support.certs import Certificate
from support.crowd import Aim, Crowd, Habit

from bench import latency
from bench.load import Clients, find_clients
from bench.measure import Started
from bench.packages import Absent
from bench.process import LOAD_CORE
from bench.servers import Server, ours
from bench.workloads import FILES, Ground, lay

#: p99 with the crowd in that without it.
RATIO_WANTED = 2.0
#: habit -> how many, and what they ask for
CROWDS = {Habit.SLOW_HEAD: (1000, "/small.html"), Habit.SLOW_READER: (200, "/big.bin")}
PATIENT = [
    *("--header-timeout", "900", "--idle-timeout", "900", "--send-timeout", "900"),
    *("--handshake-timeout", "900"),
]


def main() -> int:
    """Returns 0; 1 when something is absent or a crowd costs the others more than wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (default 3)")
    arguments = parser.parse_args()
    talk = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
    clients = find_clients()
    zeroserve = ours()
    if isinstance(clients.h2load, Absent) or isinstance(zeroserve.program, Absent):
        talk.print("error[bench]: `h2load` or zeroserve is absent", markup=False)
        return 1
    os.sched_setaffinity(0, {LOAD_CORE})  # the crowds are the load's, not the server's
    table = Table("crowd", "p99 ms alone", "p99 ms beside it", "ratio")
    fine = True
    with tempfile.TemporaryDirectory(prefix="bench-ground-") as directory:
        ground = lay(Path(directory))
        for habit, (size, path) in CROWDS.items():
            seen: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(arguments.rounds):
                for crowded, runs in seen.items():
                    p99 = _p99(clients, ground, zeroserve, (habit, size, path, crowded), arguments)
                    talk.print(f"{habit.name} {'beside' if crowded else 'alone'}: {p99:.2f} ms")
                    runs.append(p99)
            alone, beside = (statistics.median(runs) for runs in seen.values())
            fine = fine and beside <= RATIO_WANTED * alone
            what = f"{size} clients, each of which {habit.value}"
            table.add_row(what, f"{alone:.2f}", f"{beside:.2f}", f"{beside / alone:.2f}")
    talk.print(table)
    return 0 if fine else 1


def _p99(
    clients: Clients,
    ground: Ground,
    server: Server,
    crowd: tuple[Habit, int, str, bool],
    arguments: argparse.Namespace,
) -> float:
    habit, size, path, crowded = crowd
    make = server.command
    patient = replace(server, command=lambda *given: [*make(*given), *PATIENT])
    with Started(patient, ground) as running, contextlib.ExitStack() as stack:
        if crowded:
            aim = Aim(("127.0.0.1", running.port), Certificate(ground.cert, ground.key), path)
            stack.enter_context(Crowd(aim, habit, size))
        small = FILES[0]
        latency.ask(clients, ground, running.port, small, 1)
        return latency.ask(clients, ground, running.port, small, arguments.seconds).p99


if __name__ == "__main__":
    sys.exit(main())
