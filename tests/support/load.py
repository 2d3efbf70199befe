"""Load from processes of our own: keep-alive requests over TLS, each answer judged byte by byte.

The site is one whose every file is a line with its version's number, again and again, so that an
answer of two versions cannot pass, and neither can a version out of turn.
"""

from __future__ import annotations

import multiprocessing
import traceback
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Self

from support.certs import Certificate
from support.client import Connection, request

LINE_BYTES = 16
SPAWN = multiprocessing.get_context("spawn")


def versioned(number: int, size: int) -> bytes:
    """The content of a file of this version."""
    assert size % LINE_BYTES == 0
    return f"{number:015}\n".encode() * (size // LINE_BYTES)


def version_of(body: bytes) -> int:
    """The version of a body, which must be of one version from its first byte to its last."""
    number = int(body[:LINE_BYTES])
    assert body == versioned(number, len(body)), f"a mixture that begins as version {number}"
    return number


@dataclass(frozen=True)
class Target:
    """Whom to ask, and for what, again and again."""

    address: tuple[str, int]
    certificate: Certificate
    sizes: dict[str, int]
    reconnect_after: int = 0


@dataclass(frozen=True)
class Outcome:
    """What one process counted. `failure` is a traceback, or empty."""

    requests: int
    versions: int
    failure: str


class Load:
    """Several clients that run until they are stopped."""

    def __init__(self, target: Target, *, clients: int) -> None:
        self._stop: Event = SPAWN.Event()
        #: Versions that the server has acknowledged: nothing older may be sent from then on.
        self.acknowledged: Synchronized[int] = SPAWN.Value("q", 0)
        #: The newest version that exists at all.
        self.newest: Synchronized[int] = SPAWN.Value("q", 0)
        #: Requests answered so far, by all.
        self.answered: Synchronized[int] = SPAWN.Value("q", 0)
        self._outcomes: Queue[Outcome] = SPAWN.Queue()
        self._clients = [
            SPAWN.Process(
                target=_client,
                args=(
                    target,
                    self._stop,
                    (self.acknowledged, self.newest, self.answered),
                    self._outcomes,
                ),
                daemon=True,
            )
            for _ in range(clients)
        ]

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for client in self._clients:
            client.join(10)
            if client.is_alive():
                client.kill()
                client.join()

    def running(self) -> bool:
        """Whether all of them still ask."""
        return all(client.is_alive() for client in self._clients)

    def stop(self) -> list[Outcome]:
        """End it, and return what each has seen."""
        self._stop.set()
        return [self._outcomes.get(timeout=60) for _ in self._clients]


def _client(
    target: Target,
    stop: Event,
    counters: tuple[Synchronized[int], Synchronized[int], Synchronized[int]],
    outcomes: Queue[Outcome],
) -> None:
    acknowledged, newest, answered = counters
    requests, seen, failure = 0, set(), ""
    try:
        connection = _connect(target)
        last = 0
        paths = [(request(path), size) for path, size in target.sizes.items()]
        while not stop.is_set():
            wanted, size = paths[requests % len(paths)]
            least = max(acknowledged.value, last)
            connection.send(wanted)
            answer = connection.read_answer()
            assert answer.status == 200, answer
            assert len(answer.body) == size
            last = version_of(answer.body)
            assert last >= least, f"version {last} after version {least}"
            assert last <= newest.value
            seen.add(last)
            requests += 1
            with answered.get_lock():
                answered.value += 1
            if target.reconnect_after and requests % target.reconnect_after == 0:
                connection.close()
                connection, last = _connect(target), 0
        connection.close()
    except BaseException:
        failure = f"after {requests} requests:\n{traceback.format_exc()}"
    outcomes.put(Outcome(requests, len(seen), failure))


def _connect(target: Target) -> Connection:
    return Connection.tls(target.address, target.certificate.context())
