"""Logs in memory: the end, what comes, filters, and files that begin anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.deployment import SETTINGS

from zsops.host import messages as m
from zsops.host.upkeep import Log, ReadLog
from zsops.transport.memory import MemoryHost

PATH = "i/web/log/access.log"


def made(text: str = "") -> MemoryHost:
    """A host whose access log says `text`."""
    host = MemoryHost()
    host.service().install(m.Install("web", SETTINGS))
    write(host, text)
    return host


def write(host: MemoryHost, text: str) -> None:
    host.disk.unlink(PATH)
    host.disk.write(PATH, text.encode(), 0o640)


def lines(host: MemoryHost, **more: object) -> list[str]:
    wish = ReadLog("web", Log.ACCESS, **more)  # type: ignore[arg-type]
    return list(host.service().read_log(wish).lines)


def test_the_newest_lines_and_a_log_that_is_not_there() -> None:
    assert lines(MemoryHost() and made()) == []
    host = made("".join(f"line {n}\n" for n in range(50_000)))
    assert lines(host, lines=2) == ["line 49998", "line 49999"]
    assert len(lines(host, lines=9_000)) == 9_000
    assert lines(host, lines=3, contains="line 77") == ["line 7797", "line 7798", "line 7799"]


def test_a_line_is_told_once_it_is_whole() -> None:
    host = made("one\ntw")
    found = host.service().read_log(ReadLog("web", Log.ACCESS))
    assert found.lines == ("one",)
    write(host, "one\ntwo\n")
    more = host.service().read_log(ReadLog("web", Log.ACCESS, cursor=found.cursor))
    assert (more.lines, more.restarted) == (("two",), False)
    before = host.world.clock.seconds
    idle = ReadLog("web", Log.ACCESS, cursor=more.cursor, wait_s=1.0)
    assert host.service().read_log(idle).lines == ()
    assert host.world.clock.seconds >= before + 1.0


def test_a_file_that_began_anew_is_read_from_its_start() -> None:
    host = made("one\ntwo\n")
    cursor = host.service().read_log(ReadLog("web", Log.ACCESS)).cursor
    write(host, "new\n")
    found = host.service().read_log(ReadLog("web", Log.ACCESS, cursor=cursor))
    assert (found.lines, found.restarted, found.cursor) == (("new",), True, 4)


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-01-01T00:{m:02}:00.123Z a",
        "::1 - - [01/Jan/2026:01:{m:02}:00 +0100] a",
        '{{"time":"2026-01-01T00:{m:02}:00Z"}}',
    ],
)
def test_since_goes_by_the_hosts_clock(stamp: str) -> None:
    text = "".join(stamp.format(m=minute) + "\n" for minute in range(10))
    host = made(text + "  more of the last one\n")
    host.world.clock.seconds = 10 * 60.0
    assert len(lines(host, since_s=150.0)) == 3
    assert lines(host, since_s=0.5) == []
    assert len(lines(host, since_s=86_400.0)) == 11


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=20))
def test_reading_on_misses_nothing_and_repeats_nothing(parts: list[bytes]) -> None:
    host, told, cursor, text = made(), [], 0, b""
    for part in parts:
        text += part + b"\n"
        host.disk.unlink(PATH)
        host.disk.write(PATH, text, 0o640)
        found = host.service().read_log(ReadLog("web", Log.ACCESS, cursor=cursor))
        told += found.lines
        cursor = found.cursor
    expected = [line.decode("utf-8", "replace") for line in text.split(b"\n")[:-1]]
    assert told == expected
