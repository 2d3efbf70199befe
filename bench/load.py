"""The load: wrk on its own core, for some seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.packages import Program
from bench.process import LOAD_CORE, run
from bench.workloads import CONNECTIONS, Ground, Workload

_UNIT_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Loaded:
    """What wrk counted. `faults` are answers other than 2xx and socket errors."""

    requests: int
    requests_per_s: float
    p99_ms: float
    faults: int


def load(wrk: Program, ground: Ground, port: int, workload: Workload, seconds: int) -> Loaded:
    """Ask for `seconds`. Raises RuntimeError when wrk says nothing that can be read."""
    argv = [wrk.path, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    done = run(
        [*argv, f"https://localhost:{port}{workload.path}"],
        env={**wrk.env, "OPENSSL_CONF": str(ground.client_conf)},
        core=LOAD_CORE,
        timeout_s=seconds + 20,
    )
    return parse(done.said)


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
