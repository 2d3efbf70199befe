"""Versions of the daemon that nobody needs go, and never one that runs."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest
from support.crash_rig import Operator
from support.deployment import SETTINGS, deploy
from support.local_host import FAKE, local_host
from support.polling import wait_until
from support.sites import site

from zsops import process
from zsops.host import in_use, layout, old_programs
from zsops.host import messages as m
from zsops.host.effects import drive
from zsops.transport.memory import MemoryHost


class Place:
    """An instance whose daemon was upgraded a few times."""

    def __init__(self, versions: int) -> None:
        self.host = MemoryHost()
        self.operator = Operator(self.host.service(), self.host.world, 1)
        self.operator.service.install(m.Install("web", SETTINGS))
        self.operator.deploy(site("one"))
        for number in range(1, versions + 1):
            self.upgrade(f"{number}.0.0")

    def upgrade(self, version: str) -> None:
        assert self.operator.upgrade(version) is m.Outcome.COMMITTED

    def prune(self, *, dry_run: bool = False) -> m.Pruned:
        token = self.operator.take()
        done = self.operator.service.prune(m.Prune(token, "web", 3, dry_run=dry_run))
        self.operator.service.release_lease(token)
        return done

    @property
    def here(self) -> list[str]:
        return [each.partition(".")[0] for each in self.host.disk.list_dir(layout.PROGRAMS)]


def test_an_upgrade_keeps_those_used_last_and_says_so() -> None:
    place = Place(6)
    assert place.here == ["4", "5", "6"]
    told = [e.detail for e in place.host.service().history("web", 99) if "pruned" in e.event]
    assert told == []  # of the host, not of one instance
    assert place.prune().programs == ()


def test_what_is_used_again_counts_as_used_last() -> None:
    place = Place(3)
    place.upgrade("1.0.0")
    place.upgrade("4.0.0")
    assert place.here == ["1", "3", "4"]


def test_what_drains_stays_until_it_has_ended() -> None:
    place = Place(3)
    place.host.daemon.draining.add("1.0.0")
    place.upgrade("4.0.0")
    place.upgrade("5.0.0")
    assert place.here == ["1", "3", "4", "5"]
    place.host.daemon.draining.clear()
    assert place.prune(dry_run=True).programs == ("1.0.0",)
    assert place.here == ["1", "3", "4", "5"]
    assert place.prune().programs == ("1.0.0",)
    assert place.here == ["3", "4", "5"]


def test_what_another_instance_has_chosen_stays_even_while_it_is_stopped() -> None:
    place = Place(1)
    place.operator.service.install(m.Install("blog", SETTINGS))
    chosen = place.host.disk.read("i/web/program.json") or b""
    place.host.disk.write("i/blog/program.json", chosen, 0o640)
    for number in range(2, 6):
        place.upgrade(f"{number}.0.0")
    assert place.here == ["1", "3", "4", "5"]


def test_what_an_interrupted_installation_left_goes_and_what_is_not_ours_stays() -> None:
    place = Place(1)
    for name in ("9.9.9", "notes"):
        place.host.disk.mkdir(f"{layout.PROGRAMS}/{name}")
        place.host.disk.write(f"{layout.PROGRAMS}/{name}/file", b"", 0o640)
    assert place.prune().programs == ("9.9.9",)
    assert place.here == ["1", "notes"]


def test_a_disk_that_fails_fails_no_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(3)
    unlink = place.host.disk.unlink

    def failing(path: str) -> None:
        if path.startswith(layout.PROGRAMS) and path.endswith("complete.json"):
            raise OSError(5, "Input/output error", path)
        unlink(path)

    monkeypatch.setattr(place.host.disk, "unlink", failing)
    place.upgrade("4.0.0")
    assert place.prune().programs == ()
    assert place.here == ["1", "2", "3", "4"]


def test_a_choice_that_cannot_be_read_fails_no_upgrade() -> None:
    """Of another instance; whatever it means may be wanted, so nothing goes."""
    place = Place(3)
    place.operator.service.install(m.Install("blog", SETTINGS))
    place.host.disk.write("i/blog/program.json", b"{", 0o640)
    place.upgrade("4.0.0")
    assert place.here == ["1", "2", "3", "4"]


def test_what_a_process_runs_is_seen_by_the_files_it_has(tmp_path: Path) -> None:
    """Whatever it calls itself: the daemon writes over its arguments."""
    root = tmp_path / "root"
    program = root / layout.PROGRAMS / "1.2.3" / "bin" / "sleep"
    program.parent.mkdir(parents=True)
    shutil.copy(shutil.which("sleep") or "", program)
    link = tmp_path / "link"
    link.symlink_to(root)
    with (tmp_path / "log").open("wb") as log:
        argv = [sys.executable, "-c", _NAMELESS, str(program)]
        started = process.start_logged(argv, log=log.fileno())
        try:
            for each in (root, link):
                wait_until(lambda at=each: in_use.versions(at) == {"1.2.3"}, what="it")
            assert in_use.versions(tmp_path) == frozenset()
        finally:
            started.send(signal.SIGKILL)
            started.close(5.0)


_NAMELESS = "import os, sys; os.execv(sys.argv[1], ['nameless', '60'])"


def test_a_daemon_that_we_may_not_look_into_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_host(FAKE) as host:
        host.install()
        deploy(host.transport, site("one"))
        daemon = host.daemon()
        monkeypatch.setattr(process, "used_paths", lambda: iter([(daemon.pid, None)]))
        assert in_use.versions(host.root) == {"fake"}
        host.supervisor()
        daemon.send(signal.SIGSTOP)
        monkeypatch.setattr(in_use, "_ANSWER_S", 0.2)
        try:
            assert in_use.versions(host.root) is None
        finally:
            daemon.send(signal.SIGCONT)


def test_nothing_goes_while_nobody_can_tell_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(3)
    monkeypatch.setattr(place.host.daemon, "running_programs", lambda: None)
    place.upgrade("4.0.0")
    assert place.here == ["1", "2", "3", "4"]


def test_without_any_version_there_is_nothing_to_do() -> None:
    assert drive(old_programs.prune("ana"), MemoryHost().world) == ()
