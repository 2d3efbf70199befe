"""Crowds: thousands of connections that do next to nothing, held by processes of their own.

Each process has a source address of its own, since one address runs out of ports; and its own
descriptors, whose limit it raises as far as it may.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import resource
import socket
import ssl
import traceback
from dataclasses import dataclass
from enum import Enum
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Self

from support.certs import Certificate
from support.client import Connection, request

SPAWN = multiprocessing.get_context("spawn")
#: Descriptors that a process needs beside its connections.
SPARE_DESCRIPTORS = 200
#: A slow client sends its next byte, or reads its next bytes, at this pace.
PACE_S = 0.5
#: They do so one after the other and not at one moment: a crowd is no army.
SLICES = 25
HANDSHAKE_S = 60
READY_S = 300


class Habit(Enum):
    """What each connection of a crowd does once it is there."""

    IDLE = "has had one answer, and waits"
    SLOW_HEAD = "sends its request one byte at a time, for ever"
    SLOW_READER = "asks for a large file and reads a little now and then"


@dataclass(frozen=True)
class Aim:
    """Whom a crowd bothers, and what for."""

    address: tuple[str, int]
    certificate: Certificate
    path: str = "/"


def descriptors_at_most() -> int:
    """How many connections one process on this machine can have, of at most 60,000."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    unlimited = hard == resource.RLIM_INFINITY
    return (60_000 if unlimited else min(60_000, hard)) - SPARE_DESCRIPTORS


class Crowd:
    """Connections with one habit, open while the context lasts. `size` is how many there are."""

    def __init__(self, aim: Aim, habit: Habit, size: int, *, processes: int = 2) -> None:
        self.size = size
        share, more = divmod(size, processes)
        self._held: list[tuple[multiprocessing.process.BaseProcess, Pipe]] = []
        for number in range(processes):
            ours, theirs = SPAWN.Pipe()
            count = share + (number < more)
            source = f"127.0.0.{number + 2}"
            held = SPAWN.Process(
                target=_hold, args=(aim, habit, count, source, theirs), daemon=True
            )
            self._held.append((held, ours))

    def __enter__(self) -> Self:
        for process, _ in self._held:
            process.start()
        for _, pipe in self._held:
            assert pipe.poll(READY_S), "the crowd did not gather"
            told = pipe.recv()
            assert told == "ready", told
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, pipe in self._held:
            with contextlib.suppress(BrokenPipeError):
                pipe.send("stop")
        for process, _ in self._held:
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()

    def alive(self) -> int:
        """Connections that the server has not closed; asks every one of them."""
        total = 0
        for _, pipe in self._held:
            pipe.send("alive")
            assert pipe.poll(READY_S), "the crowd does not answer"
            told = pipe.recv()
            assert isinstance(told, int), told
            total += told
        return total


def _hold(aim: Aim, habit: Habit, count: int, source: str, pipe: Pipe) -> None:
    try:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        context = aim.certificate.context()
        members = [_member(aim, habit, context, source) for _ in range(count)]
        pipe.send("ready")
        for turn in itertools.count():
            if pipe.poll(PACE_S / SLICES if habit is not Habit.IDLE else None):
                if pipe.recv() == "stop":
                    break
                pipe.send(sum(_is_open(each) for each in members))
            elif habit is not Habit.IDLE:
                _act(habit, members[turn % SLICES :: SLICES], turn // SLICES)
        for each in members:
            each.close()
    except BaseException:
        pipe.send(traceback.format_exc())


def _member(aim: Aim, habit: Habit, context: ssl.SSLContext, source: str) -> Connection:
    peer = socket.socket()
    peer.settimeout(HANDSHAKE_S)
    if habit is Habit.SLOW_READER:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    # As browsers do. Without it the first request waits for the peer's delayed acknowledgement.
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.bind((source, 0))
    peer.connect(aim.address)
    member = Connection(context.wrap_socket(peer, server_hostname="localhost"))
    match habit:
        case Habit.IDLE:
            assert member.ask(aim.path).status == 200
        case Habit.SLOW_HEAD:
            member.send(f"GET {aim.path} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".encode())
        case Habit.SLOW_READER:
            member.send(request(aim.path))
            assert member.read_head().status == 200
    member.peer.setblocking(False)
    return member


def _act(habit: Habit, members: list[Connection], turn: int) -> None:
    """One small thing for each of them."""
    for each in members:
        with contextlib.suppress(OSError):
            if habit is Habit.SLOW_HEAD:
                each.peer.send(b"abcdefgh"[turn % 8 :][:1])
            else:
                each.peer.recv(256)


def _is_open(member: Connection) -> bool:
    """Whether the server still has this connection: then there is nothing to read but data."""
    try:
        return member.peer.recv(1) != b""
    except (ssl.SSLWantReadError, BlockingIOError):
        return True
    except OSError:
        return False
