"""A loaded event loop does its input and output on io_uring, and nothing else.

strace writes down every system call of the loop threads while requests of all kinds run. The same
on an engine into which one plain `pread` was built must find that `pread`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.certs import Certificate
from support.counterparts import CARGO, STRACE, require
from support.load import Load, Target, versioned
from support.polling import wait_until
from support.process import PROGRAMS, Program, run
from support.procfs import loop_threads
from support.server import Server
from support.trees import ROOT, pack_files

pytestmark = [pytest.mark.e2e, pytest.mark.conformance, pytest.mark.xdist_group("load")]

SIZES = {"/index.html": 176, "/page.html": 102_400, "/large.bin": 4 << 20}
REQUESTS = 1500
REQUESTS_PER_CONNECTION = 40
RING = {"io_uring_enter"}
TIME = {"clock_gettime", "clock_nanosleep", "gettimeofday"}
#: `mprotect` is how glibc grows the heap of a thread that is not the first.
MEMORY = {"mmap", "munmap", "mremap", "madvise", "brk", "mprotect"}
#: Moves no bytes and does not wait. The ring gives every shutdown to a thread of its own, which costs
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
def faulty_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with our package, whose engine was built with one plain `pread`.

    It has a target folder of its own: a library of another feature set under the name that the
    ordinary build looks for would be taken for its own. What does not differ, BoringSSL and all
    crates, is copied there, so that only the engine's crate is compiled.
    """
    release, own = ROOT / "target" / "release", ROOT / "target" / "fault"
    if not (own / "release").exists():
        (own / "release").mkdir(parents=True)
        for name in (".fingerprint", "build", "deps"):
            copied = run(["cp", "-a", "--reflink=auto", release / name, own / "release"])
            assert copied.code == 0, copied.stderr
    manifest = ROOT / "zeroserve" / "engine" / "Cargo.toml"
    built = run(
        [
            *(require(CARGO), "build", "--manifest-path", manifest, "--target-dir", own),
            *("--release", "--locked", "--lib", "--features", "fault-plain-pread"),
        ],
        env=build_environment(),
        timeout_s=1500,
    )
    assert built.code == 0, built.stderr[-3000:]
    place = tmp_path_factory.mktemp("faulty")
    ignored = shutil.ignore_patterns("engine", "__pycache__")
    shutil.copytree(ROOT / "zeroserve", place / "zeroserve", ignore=ignored)
    shutil.copy(own / "release" / "lib_engine.so", place / "zeroserve" / "_engine")
    return place


def build_environment() -> dict[str, str]:
    """What `make` gives to every build; the same, or the crates would be built anew."""
    clang = next(PROGRAMS.parent.glob("lib/python3*/site-packages/clang/native"))
    include = run(["gcc", "-print-file-name=include"]).text.strip()
    return {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "LIBCLANG_PATH": str(clang),
        "BINDGEN_EXTRA_CLANG_ARGS": f"-I{include}",
        "VIRTUAL_ENV": str(PROGRAMS.parent),
    }


@pytest.mark.timeout(1800)
def test_a_plain_read_on_the_loop_would_be_found(
    faulty_package: Path, tmp_path: Path, certificate: Certificate
) -> None:
    found = calls_under_load(tmp_path, certificate, {"PYTHONPATH": str(faulty_package)})
    offenders = {name.partition("(")[0] for name in found if name not in ALLOWED}
    assert "pread64" in offenders, f"an engine with a plain pread was seen to call {found}"
