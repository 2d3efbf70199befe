"""Where sockets lie when the root's own path is too long for them: a place that anybody may use."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.local_host import FAKE, LocalHost
from support.polling import wait_until

from zsops.errors import UnsafeDirectory
from zsops.host import records as records_module
from zsops.host.daemon import LocalDaemon
from zsops.host.records import RunRecords


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /tmp."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(records_module, "_SHORT", place)
    return place


@pytest.fixture
def records(tmp_path: Path) -> RunRecords:
    return RunRecords(tmp_path / ("deep" * 30), "web")


def _mine() -> str:
    return f"zsops-{os.geteuid()}"


def test_it_is_made_for_us_alone_whatever_the_umask(short: Path, records: RunRecords) -> None:
    before = os.umask(0)
    try:
        records.make_room_for_sockets("a")
    finally:
        os.umask(before)
    facts = (short / _mine()).lstat()
    assert stat.S_IMODE(facts.st_mode) == 0o700
    assert facts.st_uid == os.geteuid()
    assert records.control("b").parent == records.door("a").parent == short / _mine()
    records.make_room_for_sockets("b")


def _link(place: Path) -> None:
    other = place.with_name("other")
    other.mkdir(mode=0o700)
    place.symlink_to(other)


def _open(place: Path) -> None:
    place.mkdir()
    place.chmod(0o770)


def _file(place: Path) -> None:
    place.write_text("")


def _of_somebody(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives a directory away")
    place.mkdir(mode=0o700)
    os.chown(place, 65534, 65534)


SQUATTED: list[tuple[Callable[[Path], None], str]] = [
    (_link, "is no directory"),
    (_file, "is no directory"),
    (_open, r"is open to others \(mode 0770\)"),
    (_of_somebody, "belongs to uid 65534"),
]


@pytest.mark.parametrize(("squat", "problem"), SQUATTED)
def test_what_somebody_else_put_there_is_refused(
    short: Path, records: RunRecords, squat: Callable[[Path], None], problem: str
) -> None:
    squat(short / _mine())
    for ask in (records.control, records.door, records.make_room_for_sockets):
        with pytest.raises(UnsafeDirectory, match=problem):
            ask("a")
    with pytest.raises(UnsafeDirectory):
        LocalDaemon(records.root).status("web")


def test_a_variable_does_not_move_it(records: RunRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that has TMPDIR would look for the sockets elsewhere than their supervisor."""
    before = records.control("a")
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    assert records.control("a") == before


def test_a_host_with_a_deep_root_serves(tmp_path: Path) -> None:
    host = LocalHost(tmp_path / ("deep" * 25), FAKE)
    try:
        host.install()
        with host.transport.connect() as session:
            assert session.start_daemon("web").running
        wait_until(lambda: host.records.control("a").is_socket(), what="its socket")
        assert host.records.control("a").parent.name == _mine()
    finally:
        host.close()
