"""`python -m bench --latency`: how long requests take at a rate that no server is exhausted by.

A load generator that asks as fast as it can measures its own queue. Here all servers get the same
number of requests a second, spread evenly over the connections, in turns of some seconds.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import Clients
from bench.measure import Effort, Started
from bench.packages import Program
from bench.process import LOAD_CORE, run
from bench.servers import servers
from bench.workloads import FILES, SUITE, Ground, Workload, check

#: Requests a second: less than half of what nginx reaches on one core of a small machine.
RATES = {"static-174": 10_000, "static-100k": 2_000}
#: The handshakes of all connections at once are not what is measured.
SETTLED_S = 0.5
#: Beyond nginx's own figure by less than this is noise of the clock and the scheduler.
TOLERANCE = 1.10


@dataclass(frozen=True)
class Times:
    """Percentiles of the time from a request's first byte to its answer's last, in ms."""

    p50: float
    p99: float
    p999: float


#: workload -> server -> its runs
Seen = dict[str, dict[str, list[Times]]]


def compare(ground: Ground, clients: Clients, effort: Effort, tell: Callable[[str], None]) -> Seen:
    """A B C, A B C, …, each run on a fresh server. Raises RuntimeError."""
    present = [each for each in servers() if isinstance(each.program, Program)]
    seen: Seen = {each.name: {} for each in FILES}
    for workload in FILES:
        for turn in range(effort.rounds):
            for server in present:
                with Started(server, ground) as running:
                    check(ground, running.port, workload)
                    ask(clients, ground, running.port, workload, 1)
                    times = ask(clients, ground, running.port, workload, effort.seconds)
                seen[workload.name].setdefault(server.name, []).append(times)
                tell(f"{workload.name} {turn + 1} {server.name}: p99 {times.p99:.2f} ms")
    return seen


def ask(clients: Clients, ground: Ground, port: int, workload: Workload, seconds: int) -> Times:
    """One run at the workload's rate. Raises RuntimeError when a request failed."""
    rate = RATES[workload.name]
    h2load = clients.h2load
    assert isinstance(h2load, Program)
    with tempfile.TemporaryDirectory(prefix="bench-latency-") as directory:
        log = Path(directory) / "times"
        done = run(
            [
                *(h2load.path, "--h1", f"-c{workload.connections}", f"-D{seconds}"),
                *(f"--rps={rate / workload.connections:g}", "--groups=X25519"),
                *(f"--tls13-ciphers={SUITE}", f"--log-file={log}"),
                f"https://localhost:{port}{workload.path}",
            ],
            env={**h2load.env, "OPENSSL_CONF": str(ground.client_conf)},
            core=LOAD_CORE,
            timeout_s=seconds * 4 + 20,
        )
        if done.code != 0 or not log.exists():
            raise RuntimeError(f"h2load failed: {done.said.strip()[-200:]}")
        return parse(log.read_text())


def parse(log: str) -> Times:
    """Read h2load's log: start in µs, status and µs of each request. Raises RuntimeError."""
    rows = [tuple(int(each) for each in line.split("\t")[:3]) for line in log.splitlines()]
    if len(rows) < 100 or any(status != 200 for _, status, _ in rows):
        raise RuntimeError("h2load had too few answers, or others than 200")
    settled = min(start for start, _, _ in rows) + SETTLED_S * 1e6
    taken = sorted(took for start, _, took in rows if start >= settled)
    return Times(*(taken[int(len(taken) * part)] / 1e3 for part in (0.5, 0.99, 0.999)))


def show(talk: Console, seen: Seen) -> int:
    """Print the medians of all runs. 1 when our p99 is above nginx's by more than the noise."""
    table = Table("workload", "requests/s", "server", "p50 ms", "p99 ms", "p99.9 ms")
    fine = True
    for workload, by_server in seen.items():
        for name, runs in by_server.items():
            middle = [f"{median(runs, part):.2f}" for part in ("p50", "p99", "p999")]
            table.add_row(workload, f"{RATES[workload]:,}", name, *middle)
        if {"nginx", "zeroserve"} <= by_server.keys():
            ours, theirs = (median(by_server[name], "p99") for name in ("zeroserve", "nginx"))
            fine = fine and ours <= theirs * TOLERANCE
    talk.print(table)
    talk.print("wanted: p99 no worse than nginx's" + ("" if fine else ", which is not reached"))
    return 0 if fine else 1


def median(runs: list[Times], part: str) -> float:
    """Of a percentile, by its name, over all runs."""
    return float(statistics.median(getattr(each, part) for each in runs))
