"""What goes wrong between an operator and hosts, on real OpenSSH servers: disks, links, kills."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.fleet_project import Project
from support.polling import wait_until
from support.process import run
from support.sshd import Farm, Server, farm

pytestmark = pytest.mark.e2e

#: What `deploy -v` says on its way over one host, in order; the operator is killed at each.
LINES = (
    "lease ok",
    "stage ok",
    "arm ok",
    "switch ok",
    "reload ok",
    "health ok",
    "probe ok",
    "confirm ok",
)
COMMITTED_FROM = LINES.index("confirm ok")


@contextmanager
def small_disk(root: Path) -> Iterator[None]:
    """A file system of 6 MiB at `root`. Only the superuser may mount one: skipped without."""
    root.mkdir(parents=True, exist_ok=True)
    mounted = run(["mount", "-t", "tmpfs", "-o", "size=6m", "zsops-test", root])
    if mounted.code != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        wait_until(lambda: run(["umount", root]).code == 0, what="the small disk's end")


@pytest.fixture
def hosts() -> Iterator[Farm]:
    with farm(2, first=60) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, hosts: Farm) -> Project:
    made = Project.make(tmp_path, hosts)
    made.write("one")
    assert made.zsops("deploy", "prod").code == 0
    confirm_within(made, "8s")
    return made


def confirm_within(project: Project, window: str) -> None:
    """How long a host waits for its confirmation: short where the test waits for its end, and
    never so short that a busy machine misses it."""
    file = project.directory / "zsops.yaml"
    file.write_text(re.sub(r"window: \w+", f"window: {window}", file.read_text()))


def settled(project: Project, wanted: list[bytes]) -> bool:
    """Whether every host is at rest and serves what it should."""
    if project.zsops("status", "prod").code != 0:
        return False
    try:
        return project.pages() == wanted
    except OSError:  # a daemon that was started a moment ago
        return False


@pytest.mark.parametrize("line", LINES)
def test_the_operator_is_killed_at_each_line(project: Project, line: str) -> None:
    one = project.page(project.farm.servers[0])
    two = project.write("two")
    deploying = project.start("deploy", "prod", "--on", "web60", "-v")
    deploying.wait_said(f"web on web60: {line}", timeout_s=60)
    deploying.send(signal.SIGKILL)
    assert deploying.wait() == -signal.SIGKILL
    first = two if LINES.index(line) >= COMMITTED_FROM else one
    # Whoever was killed right after a line may have got one step further: then either is whole.
    late = line in ("health ok", "probe ok")
    wait_until(
        lambda: settled(project, [first, one]) or (late and settled(project, [two, one])),
        timeout_s=90,
        what=f"a whole release after a kill at `{line}`",
    )
    assert project.document("audit", "prod", "--verify")["exit"] == 0
    confirm_within(project, "60s")
    again = project.zsops("deploy", "prod")
    if again.code == 4:  # the dead run's lease: its name is in the refusal
        run_id = again.stderr.split("--resume ")[1].split("`")[0].split()[0]
        again = project.zsops("deploy", "prod", "--resume", run_id)
    assert again.code == 0, again.stderr
    assert project.pages() == [two, two]


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    with farm(2, first=70) as hosts:
        small = hosts.servers[0]
        with small_disk(small.root):
            project = Project.make(tmp_path, hosts)
            one = project.write("one")
            assert project.zsops("deploy", "prod").code == 0
            (project.directory / "site" / "big.bin").write_bytes(os.urandom(8 << 20))
            refused = project.zsops("deploy", "prod", "--on", "web70")
            assert refused.code == 8, refused.stderr
            assert "disk" in refused.stderr
            assert project.pages() == [one, one]
            assert list((small.root / "incoming").iterdir()) == []
            (project.directory / "site" / "big.bin").unlink()
            two = project.write("two")
            assert project.zsops("deploy", "prod").code == 0
            assert project.pages() == [two, two]
            for server in hosts.servers:
                server.close()


def test_a_release_that_fills_the_disk_still_goes_back(tmp_path: Path) -> None:
    """After STAGE neither switch nor revert needs space."""
    with farm(2, first=75) as hosts:
        small = hosts.servers[0]
        with small_disk(small.root):
            project = Project.make(tmp_path, hosts)
            one = project.write("one")
            assert project.zsops("deploy", "prod").code == 0
            confirm_within(project, "8s")
            project.write("two")
            deploying = project.start("deploy", "prod", "--on", "web75", "-v")
            deploying.wait_said("web on web75: stage ok", timeout_s=60)
            fill(small.root)
            deploying.wait_said("web on web75: switch ok", timeout_s=60)
            deploying.send(signal.SIGKILL)
            deploying.wait()
            wait_until(
                lambda: served(project, small) == one,
                timeout_s=90,
                what="the way back on a full disk",
            )
            for server in hosts.servers:
                server.close()


def served(project: Project, server: Server) -> bytes | None:
    """The first page; None while there is no answer."""
    try:
        return project.page(server)
    except OSError:
        return None


def fill(root: Path) -> None:
    """No byte is free any more."""
    with (root / "filler").open("wb") as file:
        try:
            while True:
                file.write(bytes(64 << 10))
                file.flush()
        except OSError:
            return


def test_an_sshd_that_stops_in_the_middle_is_given_up(project: Project) -> None:
    """SIGSTOP of the connection's own processes: no error comes from the network."""
    one = project.page(project.farm.servers[0])
    project.write("two")
    server = project.farm.servers[0]
    deploying = project.start("deploy", "prod", "--on", "web60", "-v")
    deploying.wait_said("web on web60: arm ok", timeout_s=60)
    stopped = server.session_pids()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    server.send(signal.SIGSTOP)
    began = time.monotonic()
    try:
        code = deploying.wait(timeout_s=120)
    finally:
        server.send(signal.SIGCONT)
        for pid in stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue
    assert code in (7, 12), deploying.said
    assert time.monotonic() - began < 110
    wait_until(lambda: settled(project, [one, one]), timeout_s=90, what="the host's own way back")
