"""The signal file: what counts as a change."""

import os
from pathlib import Path

from zeroserve.control.signal_file import SignalFile


def test_only_other_content_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "signal"
    path.write_text("1")
    changes: list[None] = []
    watched = SignalFile(str(path), lambda: changes.append(None))
    watched.look()
    os.utime(path, (1, 1))
    path.write_text("1")
    watched.look()
    assert len(changes) == 0, "the same content"
    path.write_text("2")
    watched.look()
    watched.look()
    assert len(changes) == 1
    path.unlink()
    watched.look()
    path.write_text("2")
    watched.look()
    assert len(changes) == 1, "a file that goes and comes back as it was"


def test_a_file_that_appears_is_a_change(tmp_path: Path) -> None:
    changes: list[None] = []
    watched = SignalFile(str(tmp_path / "signal"), lambda: changes.append(None))
    watched.look()
    assert len(changes) == 0
    (tmp_path / "signal").write_text("1")
    watched.look()
    assert len(changes) == 1
