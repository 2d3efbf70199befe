"""Two loops in one process share the work and swap sites as one; two processes share a port when
both say so, and only then.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.load import version_of, versioned
from support.process import zeroserve
from support.procfs import cpu_ticks, loop_threads, pss_kb
from support.server import Server
from support.trees import pack_files

pytestmark = pytest.mark.e2e

SECRET = "two-loops-and-one-port"
PROBE = f"/.zeroserve/probe/{SECRET}"
SIZE = 4096
CONNECTIONS = 400
#: The kernel spreads connections by a hash: each of two loops gets 160 to 240, almost surely.
SHARE_MIN = 0.25
MORE_LOOP_KB_MAX = 3 << 10


def publish(place: Path, number: int) -> Path:
    """A site of one file that tells its version, renamed over the one before."""
    made = pack_files({"index.html": versioned(number, SIZE)}, place / f"site{number}.tar")
    return made.replace(place / "site.tar")


def test_connections_are_spread_over_both_loops(tmp_path: Path, certificate: Certificate) -> None:
    tar = publish(tmp_path, 1)
    arguments = ("--threads", "2", "--disable-request-logging", tar)
    with Server(*arguments, place=tmp_path / "run", certificate=certificate) as server:
        loops = loop_threads(server.pid)
        assert len(loops) == 2
        before = {tid: cpu_ticks(server.pid, tid) for tid in loops}
        for _ in range(CONNECTIONS):
            with server.connect() as connection:
                for _ in range(10):
                    assert version_of(connection.ask("/").body) == 1
        used = {tid: cpu_ticks(server.pid, tid) - before[tid] for tid in loops}
        whole = sum(used.values())
        shares = [ticks / whole for ticks in used.values()]
        print(f"{CONNECTIONS} connections took {whole} ticks: {shares}")
        assert whole >= 20, "too little to compare"
        assert min(shares) >= SHARE_MIN


def test_one_reload_swaps_both_loops(tmp_path: Path, certificate: Certificate) -> None:
    tar = publish(tmp_path, 1)
    arguments = ("--threads", "2", "--disable-request-logging", tar)
    with (
        Server(*arguments, place=tmp_path / "run", certificate=certificate) as server,
        contextlib.ExitStack() as stack,
    ):
        kept = [stack.enter_context(server.connect()) for _ in range(40)]
        for number in range(2, 12):
            assert {version_of(each.ask("/").body) for each in kept} == {number - 1}
            publish(tmp_path, number)
            answer = server.control.reload(None)
            assert answer.ok, answer.error
            # From the moment that the reload is done, whichever loop has the connection.
            assert {version_of(each.ask("/").body) for each in kept} == {number}
            new = [stack.enter_context(server.connect()) for _ in range(8)]
            assert {version_of(each.ask("/").body) for each in new} == {number}


def served_by(address: tuple[str, int]) -> int:
    """The process that answers a new connection."""
    with Connection.plain(address) as connection:
        connection.send(request(PROBE))
        pid = json.loads(connection.read_answer().body)["pid"]
        assert isinstance(pid, int)
        return pid


def test_two_processes_share_a_port(tmp_path: Path) -> None:
    tar = publish(tmp_path, 1)
    secret = tmp_path / "probe"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    options = ("--reuse-port", "--probe-file", secret, "--disable-request-logging", tar)
    with Server("--addr", "127.0.0.1:0", *options, place=tmp_path / "one") as one:
        address = one.address("http")
        port = str(address[1])
        with Server("--addr", f"127.0.0.1:{port}", *options, place=tmp_path / "two") as two:
            seen = Counter(served_by(address) for _ in range(200))
            print(f"200 connections on port {port}: {seen}")
            assert set(seen) == {one.pid, two.pid}
            assert min(seen.values()) >= 200 * SHARE_MIN
        # The second has ended; the first goes on, and nobody is sent to where nobody listens.
        assert {served_by(address) for _ in range(50)} == {one.pid}


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True)])
def test_a_port_is_shared_only_when_both_say_so(tmp_path: Path, first: bool, second: bool) -> None:
    tar = publish(tmp_path, 1)
    flag = "--reuse-port"
    extra = [flag] if first else []
    with Server("--addr", "127.0.0.1:0", *extra, tar, place=tmp_path / "one") as one:
        host, port = one.address("http")
        more = [flag] if second else []
        refused = zeroserve("--addr", f"{host}:{port}", *more, tar)
        assert refused.code == 1, refused.stderr
        assert "error[" in refused.stderr
        assert str(port) in refused.stderr
        with one.connect_plain() as connection:
            assert connection.ask("/").status == 200


def test_two_loops_are_refused_on_a_port_that_is_taken(tmp_path: Path) -> None:
    tar = publish(tmp_path, 1)
    with Server("--addr", "127.0.0.1:0", "--threads", "2", tar, place=tmp_path / "one") as one:
        host, port = one.address("http")
        refused = zeroserve("--addr", f"{host}:{port}", "--threads", "2", tar)
        assert refused.code == 1, refused.stderr


def test_each_further_loop_is_cheap(tmp_path: Path) -> None:
    tar = publish(tmp_path, 1)
    memory = {}
    for threads in (1, 4):
        arguments = ("--addr", "127.0.0.1:0", "--threads", str(threads), tar)
        with Server(*arguments, place=tmp_path / str(threads)) as server:
            assert len(loop_threads(server.pid)) == threads
            for _ in range(8 * threads):
                with server.connect_plain() as connection:
                    assert connection.ask("/").status == 200
            memory[threads] = pss_kb(server.pid)
    each = (memory[4] - memory[1]) / 3
    print(f"one loop {memory[1]} KiB, four {memory[4]} KiB: {each:.0f} KiB for each further one")
    assert each <= MORE_LOOP_KB_MAX
