"""`python -m bench --runaway`: what others feel of one client whose script never ends.

One server and one load at a fixed rate, in turns with and without that client. The 99th percentile
of the others' times is compared.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection

from rich.console import Console
from rich.table import Table

from bench.latency import RATES, Times, ask, median
from bench.load import Clients
from bench.measure import Effort, Started
from bench.servers import ours
from bench.workloads import FILES, Ground, Site, check

#: The others' 99th percentile may be so many times what it is without the runaway.
RATIO_WANTED = 2.0


@dataclass(frozen=True)
class Figures:
    """The others' times in each round, without the runaway and beside it."""

    without: list[Times]
    beside: list[Times]

    @property
    def ratio(self) -> float:
        """How many times longer the slowest hundredth takes beside the runaway."""
        return median(self.beside, "p99") / median(self.without, "p99")


def measure(
    ground: Ground, clients: Clients, effort: Effort, tell: Callable[[str], None]
) -> Figures:
    """One server for all runs; raises RuntimeError when it or the load fails."""
    figures = Figures([], [])
    small = FILES[0]
    with Started(ours(), ground.of(Site.ENDLESS)) as running:
        port = running.port
        check(ground, port, small)
        ask(clients, ground, port, small, 1)
        for turn in range(effort.rounds):
            figures.without.append(ask(clients, ground, port, small, effort.seconds))
            with _spinning(ground, port):
                figures.beside.append(ask(clients, ground, port, small, effort.seconds))
            without, beside = figures.without[-1].p99, figures.beside[-1].p99
            tell(f"{turn + 1}/{effort.rounds}: p99 {without:.2f} ms, {beside:.2f} ms")
    return figures


@contextmanager
def _spinning(ground: Ground, port: int) -> Iterator[None]:
    """A client that has asked for what never comes, and waits."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ground.cert)
    client = HTTPSConnection("localhost", port, context=context, timeout=10)
    client.request("GET", "/spin")
    try:
        yield
    finally:
        client.close()


def show(talk: Console, figures: Figures) -> int:
    """Print the table. 1 when others feel more than is wanted."""
    rate = RATES[FILES[0].name]
    table = Table(f"{rate:,} requests/s", "p50 ms", "p99 ms", "p99.9 ms")
    for name, runs in (("alone", figures.without), ("beside it", figures.beside)):
        table.add_row(name, *(f"{median(runs, part):.2f}" for part in ("p50", "p99", "p999")))
    talk.print(table)
    fine = figures.ratio <= RATIO_WANTED
    wanted = f"wanted: p99 at most {RATIO_WANTED} times as long"
    talk.print(f"{wanted}; it is {figures.ratio:.2f}")
    return 0 if fine else 1
