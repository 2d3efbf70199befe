"""Hundreds of reloads under load: no request fails, each body is of one version, nothing leaks.

With `ZEROSERVE_SOAK=1` ten times as long.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.load import LINE_BYTES, Load, Target, version_of, versioned
from support.polling import wait_until
from support.procfs import Memory, descriptors, memory
from support.server import Server
from support.trees import pack_tree, write_tree

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]

SOAK = 10 if os.environ.get("ZEROSERVE_SOAK") else 1
RELOADS = 200 * SOAK
REQUESTS = 20_000 * SOAK
SETTLED_AFTER = 20
GROWTH_KB = 1024
SIZES = {"/index.html": 176, "/page.html": 102_400}
LARGE = "/large.bin"
#: Kept by no cache, and more than the kernel holds of one connection: see `slow_reader`.
LARGE_BYTES = 8 << 20
RECEIVE_BYTES = 64 << 10


class Site:
    """A tar on disk that is replaced, version by version."""

    def __init__(self, place: Path) -> None:
        self.tree = place / "tree"
        self.tar = place / "site.tar"

    def publish(self, number: int) -> str:
        """Rename a new version over the old one; returns its release digest."""
        files = {**SIZES, LARGE: LARGE_BYTES}
        write_tree(self.tree, {name[1:]: versioned(number, size) for name, size in files.items()})
        pack_tree(self.tree, self.tar)
        return str(number)


def slow_reader(server: Server) -> tuple[Connection, int, bytes]:
    """A client that has read the head and a little of a large body, and then stops.

    With its small receive buffer, the rest does not fit into what the kernel keeps on both sides:
    the server has not sent it yet.
    """
    assert server.certificate is not None
    peer = socket.socket()
    peer.settimeout(60)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    peer.connect(server.address())
    context = server.certificate.context()
    reader = Connection(context.wrap_socket(peer, server_hostname="localhost"))
    reader.send(request(LARGE))
    head = reader.read_head()
    assert (head.status, head.length) == (200, LARGE_BYTES)
    begun = reader.read_bytes(LINE_BYTES * 1000)
    return reader, version_of(begun), begun


def finish(reader: Connection, number: int, begun: bytes) -> None:
    """Read the rest, which must be of the version that it began with."""
    rest = reader.read_bytes(LARGE_BYTES - len(begun))
    assert version_of(begun + rest) == number
    reader.close()


def kinds(pid: int) -> Counter[str]:
    """Open descriptors by what they are; which socket it is does not matter."""
    return Counter(target.split(":")[0] for target in descriptors(pid).values())


def reload(server: Server, number: int) -> None:
    """Reload over the control socket and by SIGHUP in turn, and wait until it is done."""
    if number % 2:
        answer = server.control.reload(None)
        assert answer.ok, answer.error
        assert answer.id == number
        return
    server.program.send(signal.SIGHUP)

    def done() -> bool:
        last = server.control.status()["last_reload"]
        return isinstance(last, dict) and last["id"] == number

    wait_until(done, what=f"reload {number}")
    last = server.control.status()["last_reload"]
    assert isinstance(last, dict)
    assert last["ok"], last


@pytest.mark.timeout(1800 if SOAK > 1 else 300)
def test_reloads_under_load_lose_nothing(tmp_path: Path, certificate: Certificate) -> None:
    kept_by_kernel = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
    assert kept_by_kernel + 8 * RECEIVE_BYTES < LARGE_BYTES
    site = Site(tmp_path)
    site.publish(0)
    arguments = (site.tar, "--disable-request-logging")
    in_the_middle = 0
    with Server(*arguments, place=tmp_path / "run", certificate=certificate) as server:
        target = Target(server.address(), certificate, SIZES)
        with Load(target, clients=2) as load:
            wait_until(lambda: load.answered.value > 100, timeout_s=60, what="the load")
            reader: tuple[Connection, int, bytes] | None = None
            settled_memory, settled = Memory(0, 0, 0), Counter[str]()
            for number in range(1, RELOADS + 1):
                load.newest.value = number
                site.publish(number)
                if number % 4 == 1:
                    reader = slow_reader(server)
                reload(server, number)
                load.acknowledged.value = number
                in_the_middle += reader is not None
                if reader is not None and number % 4 == 2:
                    finish(*reader)  # two reloads came between its first and its last byte
                    reader = None
                if number == SETTLED_AFTER:
                    settled_memory, settled = memory(server.pid), kinds(server.pid)
                assert load.running(), load.stop()
            wait_until(
                lambda: load.answered.value >= REQUESTS, timeout_s=300, what=f"{REQUESTS} requests"
            )
            wait_until(
                lambda: kinds(server.pid) == settled,
                what="the descriptors of reload 20",
                state=lambda: (settled, kinds(server.pid)),
            )
            wait_until(
                lambda: memory(server.pid).grown(settled_memory) <= GROWTH_KB,
                what=f"{settled_memory} and at most {GROWTH_KB} KiB",
                state=lambda: memory(server.pid),
            )
            final = memory(server.pid)
            outcomes = load.stop()
        failures = [each.failure for each in outcomes if each.failure]
        assert not failures, "\n".join(failures)
        requests = sum(each.requests for each in outcomes)
        assert requests >= REQUESTS
        assert in_the_middle >= 20
        assert min(each.versions for each in outcomes) > RELOADS // 4
        status = server.control.status()
        assert status["generation"] == RELOADS + 1
    print(
        f"{RELOADS} reloads, {in_the_middle} of them in the middle of a response, {requests} "
        f"requests, 0 failures; grown by {final.grown(settled_memory)} KiB since reload "
        f"{SETTLED_AFTER} (PSS {settled_memory.pss}, then {final.pss}); descriptors equal "
        f"({sum(settled.values())})"
    )
