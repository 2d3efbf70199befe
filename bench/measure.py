"""Measuring: short runs, server by server and round after round, each on a fresh server."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import accounting
from bench.load import load
from bench.packages import Program
from bench.process import SERVER_CORE, Running, free_port
from bench.servers import Server
from bench.workloads import WORKLOADS, Ground, Workload, check

#: A server is left out after so many runs without a result: one may be the machine's fault.
SPOILT_MAX = 3


@dataclass(frozen=True)
class Effort:
    """How much to measure."""

    rounds: int
    seconds: int


@dataclass(frozen=True)
class Run:
    """One server under one workload, once. Times in the unit of their name; shares 0 to 1."""

    us_per_request: float
    requests_per_s: float
    p99_ms: float
    requests: int
    faults: int
    others_share: float
    steal_share: float


#: workload -> server -> its runs
Runs = dict[str, dict[str, list[Run]]]


class Bench:
    """All runs of one bench. `tell` gets a line after each of them."""

    def __init__(
        self, ground: Ground, wrk: Program, servers: list[Server], tell: Callable[[str], None]
    ) -> None:
        self._ground, self._wrk, self._servers, self._tell = ground, wrk, servers, tell
        self.faults: dict[str, str] = {}

    def all_runs(self, effort: Effort) -> Runs:
        """A B C, A B C, …: a slow minute of the machine hits all of them."""
        runs: Runs = {workload.name: {} for workload in WORKLOADS}
        spoilt: Counter[str] = Counter()
        for workload in WORKLOADS:
            for turn in range(effort.rounds):
                for server in self._servers:
                    if server.name in self.faults:
                        continue
                    try:
                        run = self._run(server, workload, effort.seconds)
                    except (RuntimeError, OSError) as error:
                        self._tell(f"{workload.name} {turn + 1} {server.name}: {error}")
                        spoilt[server.name] += 1
                        if spoilt[server.name] == SPOILT_MAX:
                            self.faults[server.name] = f"{workload.name}: {error}"
                        continue
                    runs[workload.name].setdefault(server.name, []).append(run)
                    self._tell(
                        f"{workload.name} {turn + 1}/{effort.rounds} {server.name}: "
                        f"{run.us_per_request:.1f} µs"
                    )
        return runs

    def idle_mib(self) -> dict[str, float]:
        """PSS of each server that has answered one request and then rested."""
        sizes: dict[str, float] = {}
        for server in self._servers:
            if server.name not in self.faults:
                with Started(server, self._ground) as running:
                    check(self._ground, running.port, WORKLOADS[0])
                    time.sleep(1)
                    sizes[server.name] = accounting.pss_mib(running.pid)
        return sizes

    def _run(self, server: Server, workload: Workload, seconds: int) -> Run:
        with Started(server, self._ground) as running:
            check(self._ground, running.port, workload)
            load(self._wrk, self._ground, running.port, workload, 1)  # warms caches and buffers
            before = accounting.read(running.pid, SERVER_CORE)
            done = load(self._wrk, self._ground, running.port, workload, seconds)
            spent = accounting.spent(before, accounting.read(running.pid, SERVER_CORE))
        return Run(
            us_per_request=spent.cpu_s / done.requests * 1e6,
            requests_per_s=done.requests_per_s,
            p99_ms=done.p99_ms,
            requests=done.requests,
            faults=done.faults,
            others_share=spent.others,
            steal_share=spent.steal,
        )


def as_json(runs: Runs) -> dict[str, dict[str, list[dict[str, float]]]]:
    """The runs as plain values."""
    return {
        workload: {name: [asdict(run) for run in each] for name, each in by_server.items()}
        for workload, by_server in runs.items()
    }


class Started:
    """A server running in a directory of its own."""

    def __init__(self, server: Server, ground: Ground) -> None:
        assert isinstance(server.program, Program)
        self._directory = tempfile.TemporaryDirectory(prefix=f"bench-{server.name}-")
        own = Path(self._directory.name)
        port = free_port()
        home = {"HOME": str(own), "XDG_DATA_HOME": str(own), "XDG_CONFIG_HOME": str(own)}
        self._running = Running(
            server.command(server.program.path, ground, port, own),
            port,
            own / "log",
            {**server.program.env, **home, **server.env},
        )

    def __enter__(self) -> Running:
        return self._running.__enter__()

    def __exit__(self, *_: object) -> None:
        self._running.__exit__()
        self._directory.cleanup()
