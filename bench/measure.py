"""Measuring: short runs, server by server and round after round, each on a fresh server."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import accounting
from bench.load import Clients, load
from bench.packages import Absent, Program
from bench.process import SERVER_CORE, Running, free_port
from bench.servers import Server
from bench.workloads import FILES, Ground, Workload, check

#: After so many runs without a result a server is left out of a workload: one may be chance.
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
        self, ground: Ground, clients: Clients, servers: list[Server], tell: Callable[[str], None]
    ) -> None:
        self._ground, self._clients, self._servers, self._tell = ground, clients, servers, tell
        self._spoilt: dict[str, dict[str, str]] = {}

    def all_runs(self, workloads: Sequence[Workload], effort: Effort) -> Runs:
        """A B C, A B C, …: a slow minute of the machine hits all of them."""
        runs: Runs = {workload.name: {} for workload in workloads}
        for workload in workloads:
            spoilt: Counter[str] = Counter()
            for turn in range(effort.rounds):
                for server in self._servers:
                    if server.name in self.left_out(workload):
                        continue
                    try:
                        run = self._run(server, workload, effort.seconds)
                    except (RuntimeError, OSError) as error:
                        self._tell(f"{workload.name} {turn + 1} {server.name}: {error}")
                        spoilt[server.name] += 1
                        if spoilt[server.name] == min(SPOILT_MAX, effort.rounds):
                            self._spoilt.setdefault(workload.name, {})[server.name] = str(error)
                        continue
                    runs[workload.name].setdefault(server.name, []).append(run)
                    self._tell(
                        f"{workload.name} {turn + 1}/{effort.rounds} {server.name}: "
                        f"{run.us_per_request:.1f} µs"
                    )
        return runs

    def left_out(self, workload: Workload) -> dict[str, str]:
        """The servers that can't be measured under a workload, or could not be, and why."""
        client = self._clients.of(workload)
        if isinstance(client, Absent):
            return {server.name: client.reason for server in self._servers}
        programs = {server.name: server.of(workload.site) for server in self._servers}
        absent = {name: each.reason for name, each in programs.items() if isinstance(each, Absent)}
        return absent | self._spoilt.get(workload.name, {})

    def idle_mib(self) -> dict[str, float]:
        """PSS of each server that has answered one request and then rested."""
        sizes: dict[str, float] = {}
        for server in self._servers:
            with Started(server, self._ground) as running:
                check(self._ground, running.port, FILES[0])
                time.sleep(1)
                sizes[server.name] = accounting.pss_mib(running.pid)
        return sizes

    def _run(self, server: Server, workload: Workload, seconds: int) -> Run:
        ground = self._ground.of(workload.site)
        with Started(server, ground) as running:
            check(ground, running.port, workload)
            load(self._clients, ground, running.port, workload, 1)  # warms caches and buffers
            before = accounting.read(running.pid, SERVER_CORE)
            done = load(self._clients, ground, running.port, workload, seconds)
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
        program = server.of(ground.site)
        assert isinstance(program, Program)
        self._directory = tempfile.TemporaryDirectory(prefix=f"bench-{server.name}-")
        own = Path(self._directory.name)
        port = free_port()
        home = {"HOME": str(own), "XDG_DATA_HOME": str(own), "XDG_CONFIG_HOME": str(own)}
        self._running = Running(
            server.command(program.path, ground, port, own),
            port,
            own / "log",
            {**program.env, **home, **server.env},
        )

    def __enter__(self) -> Running:
        return self._running.__enter__()

    def __exit__(self, *_: object) -> None:
        self._running.__exit__()
        self._directory.cleanup()
