"""A loaded event loop does its input and output on io_uring, and nothing else.

strace writes down every system call of the loop threads while requests of all kinds run. The same
on a server into which one plain `pread` is preloaded must find that `pread`.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.certs import Certificate
from support.counterparts import STRACE, require
from support.load import Load, Target, versioned
from support.polling import wait_until
from support.process import Program, run
from support.procfs import loop_threads
from support.server import Server
from support.trees import pack_files

pytestmark = [pytest.mark.e2e, pytest.mark.conformance, pytest.mark.xdist_group("load")]

SIZES = {"/index.html": 176, "/page.html": 102_400, "/large.bin": 4 << 20}
REQUESTS = 1500
REQUESTS_PER_CONNECTION = 40
RING = {"io_uring_enter"}
TIME = {"clock_gettime", "clock_nanosleep", "gettimeofday"}
#: `mprotect` is how glibc grows the heap of a thread that is not the first.
MEMORY = {"mmap", "munmap", "mremap", "madvise", "brk", "mprotect"}
#: Moves no bytes and does not wait. The ring gives every shutdown to a worker thread, which costs
#: a connection several times what the call does.
END = {"shutdown"}
ALLOWED = RING | TIME | MEMORY | END | {"futex"}
#: One line of strace: the thread where there are several, the call, and its first argument, which
#: with `-y` says what the descriptor is.
CALL = re.compile(r"^(?:\d+ +)?(\w+)\(([^,)]*)", re.MULTILINE)


def calls_under_load(
    place: Path, certificate: Certificate, env: Mapping[str, str] | None = None
) -> Counter[str]:
    """Serve, load, and count the system calls of the loop threads in the middle of it."""
    files = {name[1:]: versioned(0, size) for name, size in SIZES.items()}
    tar = pack_files(files, place / "site.tar")
    arguments = (tar, "--access-log", place / "access.log")
    with Server(*arguments, place=place / "run", certificate=certificate, env=env) as server:
        target = Target(
            server.address(), certificate, SIZES, reconnect_after=REQUESTS_PER_CONNECTION
        )
        with Load(target, clients=2) as load:
            wait_until(lambda: load.answered.value > 200, timeout_s=60, what="the load")
            output = place / "strace.txt"
            traced = [f"-p{tid}" for tid in loop_threads(server.pid)]
            assert traced
            tracer = Program(
                [require(STRACE), "-qq", "-y", "-s0", "-o", output, *traced], place / "strace.log"
            )
            wait_until(lambda: is_traced(server.pid), what="strace", state=lambda: tracer.said)
            begun = load.answered.value
            wait_until(
                lambda: load.answered.value > begun + REQUESTS,
                timeout_s=120,
                what=f"{REQUESTS} requests under strace",
            )
            tracer.send(signal.SIGINT)  # it lets go of the threads and writes the rest
            tracer.wait()
            outcomes = load.stop()
        assert not any(each.failure for each in outcomes), outcomes
        assert (place / "access.log").read_text().count("\n") > REQUESTS
    calls = Counter[str]()
    for name, argument in CALL.findall(output.read_text()):
        calls[name if name in ALLOWED else f"{name}({argument}, ...)"] += 1
    assert calls["io_uring_enter"] > REQUESTS // 10, "the loop was hardly seen at work"
    print(f"system calls of the loop: {dict(calls.most_common())}")
    return calls


def is_traced(pid: int) -> bool:
    """Whether every loop thread has a tracer."""
    return all(
        "TracerPid:\t0\n" not in Path(f"/proc/{pid}/task/{tid}/status").read_text()
        for tid in loop_threads(pid)
    )


def test_a_loaded_loop_only_enters_its_ring(tmp_path: Path, certificate: Certificate) -> None:
    found = calls_under_load(tmp_path, certificate)
    offenders = {name: count for name, count in found.items() if name not in ALLOWED}
    assert not offenders


@pytest.fixture(scope="module")
def plain_pread(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that has the loop's way into its ring call `pread` first."""
    library = tmp_path_factory.mktemp("fault") / "plain_pread.so"
    source = Path(__file__).parents[1] / "support" / "plain_pread.c"
    built = run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"])
    assert built.code == 0, built.stderr
    return library


def test_a_plain_read_on_the_loop_would_be_found(
    plain_pread: Path, tmp_path: Path, certificate: Certificate
) -> None:
    found = calls_under_load(tmp_path, certificate, {"LD_PRELOAD": str(plain_pread)})
    offenders = {name.partition("(")[0] for name in found if name not in ALLOWED}
    assert "pread64" in offenders, f"a loop with a plain pread was seen to call {found}"
