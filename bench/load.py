"""The load: the workload's client on its own core, for some seconds."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.packages import Absent, Program, find
from bench.process import LOAD_CORE, Finished, run
from bench.workloads import SUITE, Client, Ground, Workload

_UNIT_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
#: Requests at a time on a connection of HTTP/2.
STREAMS = 32
#: What a program may take beyond the seconds that it was told.
PATIENCE_S = 20


@dataclass(frozen=True)
class Loaded:
    """What a client counted. `faults` are answers other than 2xx and broken connections."""

    requests: int
    requests_per_s: float
    p99_ms: float
    faults: int


@dataclass(frozen=True)
class Clients:
    """The load generators of others."""

    wrk: Program | Absent
    h2load: Program | Absent

    def of(self, workload: Workload) -> Program | Absent:
        """The one that a workload needs."""
        match workload.client:
            case Client.H2LOAD:
                return self.h2load
            case Client.HANDSHAKES:
                return Program(sys.executable)
            case Client.WRK | Client.RESUMING:
                return self.wrk


def find_clients() -> Clients:
    """Those that this machine has or has packages for."""
    return Clients(find("wrk", ["wrk", "libluajit-5.1-2"]), find("h2load", ["nghttp2-client"]))


def load(clients: Clients, ground: Ground, port: int, workload: Workload, seconds: int) -> Loaded:
    """Ask for `seconds`. Raises RuntimeError when the client says nothing that can be read."""
    program = clients.of(workload)
    assert isinstance(program, Program)
    url = f"https://localhost:{port}{workload.path}"
    count = str(workload.connections)
    with tempfile.TemporaryDirectory(prefix="bench-load-") as directory:
        log = Path(directory) / "times"
        match workload.client:
            case Client.WRK | Client.RESUMING:
                argv = ["-t1", f"-c{count}", f"-d{seconds}s", "--latency", url]
                if workload.client is Client.RESUMING:  # wrk keeps its session from then on
                    argv = ["-H", "Connection: close", *argv]
            case Client.H2LOAD:
                argv = ["-t1", f"-c{count}", f"-m{STREAMS}", f"-D{seconds}", "--groups=X25519"]
                argv += [f"--tls13-ciphers={SUITE}", f"--log-file={log}", url]
            case Client.HANDSHAKES:
                argv = ["-m", "bench.handshakes", str(port), workload.path, str(seconds), count]
        done = run(
            [program.path, *argv],
            cwd=Path(__file__).resolve().parent.parent,
            env={**program.env, "OPENSSL_CONF": str(ground.client_conf)},
            core=LOAD_CORE,
            timeout_s=seconds + PATIENCE_S,
        )
        match workload.client:
            case Client.WRK | Client.RESUMING:
                return parse(done.said)
            case Client.H2LOAD:
                return parse_h2load(done.said, log.read_text() if log.exists() else "", seconds)
            case Client.HANDSHAKES:
                return parse_handshakes(done, seconds)


def parse(said: str) -> Loaded:
    """Read wrk's report. Raises RuntimeError."""
    counted = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", said)
    if not (counted and rate and tail) or counted[1] == "0":
        why = "all requests were still waiting" if counted else said.strip()[-200:]
        raise RuntimeError(f"wrk had no answers: {why}")
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said
    )
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    faults = sum(int(each) for each in errors.groups()) if errors else 0
    return Loaded(
        requests=int(counted[1]),
        requests_per_s=float(rate[1]),
        p99_ms=float(tail[1]) * _UNIT_MS[tail[2]],
        faults=faults + (int(bad[1]) if bad else 0),
    )


def parse_h2load(said: str, log: str, seconds: int) -> Loaded:
    """Read h2load's report, and its log: start in µs, status and µs of each request.

    Raises RuntimeError.
    """
    counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
    taken = sorted(int(line.split("\t")[2]) for line in log.splitlines())
    if not counted or counted[1] == "0" or not taken:
        raise RuntimeError(f"h2load had no answers: {said.strip()[-200:]}")
    return Loaded(
        requests=int(counted[1]),
        requests_per_s=int(counted[1]) / seconds,
        p99_ms=_p99_ms(taken),
        faults=sum(int(each) for each in counted.groups()[1:]),
    )


def parse_handshakes(done: Finished, seconds: int) -> Loaded:
    """Read the report of `bench.handshakes`. Raises RuntimeError."""
    if done.code != 0:
        raise RuntimeError(f"the handshaking clients failed: {done.said.strip()[-200:]}")
    told = json.loads(done.stdout)
    taken = sorted(told["times_us"])
    if not taken:
        raise RuntimeError(f"no connection was answered: {told['error']}")
    return Loaded(len(taken), len(taken) / seconds, _p99_ms(taken), told["faults"])


def _p99_ms(sorted_us: list[int]) -> float:
    return sorted_us[len(sorted_us) * 99 // 100] / 1e3
