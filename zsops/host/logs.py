"""Reading an instance's logs: the end of the file first, then what comes.

Lines only, never more than an answer's worth, so that a log of gigabytes costs no more than a
short one. The place to go on from is an offset; a file that became shorter began anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zsops.errors import BadRequest
from zsops.host import journal
from zsops.host.effects import FileSize, Now, ReadRange, Sleep, Steps, WallTime, do
from zsops.host.layout import InstancePaths
from zsops.host.upkeep import Log, LogLines, ReadLog

_BLOCK_BYTES = 64 << 10
_ANSWER_BYTES_MAX = 256 << 10
_LOOK_BACK_BYTES_MAX = 16 << 20  # for lines that a filter wants
_WAIT_S_MAX = 20.0
_POLL_S = 0.2
_LINES_MAX = 10_000
_FILES = {Log.ACCESS: "access.log", Log.DAEMON: "daemon.log", Log.SUPERVISOR: "supervise.log"}
#: RFC 3339, or the common log format's `[24/Nov/2026:10:00:00 +0000]`.
_STAMP = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)"
    rb"|\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) ([+-]\d{4})\]"
)
_STAMP_WITHIN_BYTES = 300


def read(request: ReadLog) -> Steps[LogLines]:
    """See `ReadLog`. Raises NotInstalled, BadRequest."""
    if not 0 <= request.lines <= _LINES_MAX or (request.cursor or 0) < 0:
        raise BadRequest(f"a log is read from a place in it, by at most {_LINES_MAX} lines")
    paths = InstancePaths(request.instance)
    yield from journal.read(paths)
    path = f"{paths.log}/{_FILES[request.log]}"
    oldest = yield from _oldest(request)
    size = (yield from do(FileSize(path))) or 0
    if request.cursor is None:
        return (yield from _end(path, size, request, oldest))
    restarted = size < request.cursor
    start = 0 if restarted else request.cursor
    end = (yield from do(Now())) + min(request.wait_s, _WAIT_S_MAX)
    while size <= start and (yield from do(Now())) < end:
        yield from do(Sleep(_POLL_S))
        size = (yield from do(FileSize(path))) or 0
        if size < start:
            restarted, start = True, 0
    data = yield from do(ReadRange(path, start, min(max(size - start, 0), _ANSWER_BYTES_MAX)))
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    if not whole and len(data) == _ANSWER_BYTES_MAX:
        whole, lines = len(data), [data]  # one line that is longer than an answer: in pieces
    kept = tuple(_kept(lines, request, oldest))
    return LogLines(kept, start + whole, restarted)


def _end(path: str, size: int, request: ReadLog, oldest: float | None) -> Steps[LogLines]:
    """Backwards by blocks until enough lines are there. A last line without its end waits."""
    data, start, whole = b"", size, 0
    kept: list[str] = []
    while start > 0 and len(kept) < request.lines and size - start < _LOOK_BACK_BYTES_MAX:
        taken = min(_BLOCK_BYTES, start)
        start -= taken
        data = (yield from do(ReadRange(path, start, taken))) + data
        whole = data.rfind(b"\n") + 1
        # The first line may lack its beginning, unless the file begins here.
        first = 0 if start == 0 else data.find(b"\n") + 1
        lines = data[first:whole].split(b"\n")[:-1]
        kept = list(_kept(lines, request, oldest))
        if oldest is not None and lines and (time_of(lines[0]) or oldest) < oldest:
            break
    newest = kept[-request.lines :] if request.lines else []
    total = 0
    for at, line in enumerate(reversed(newest)):
        total += len(line)
        if total > _ANSWER_BYTES_MAX:
            newest = newest[len(newest) - at :]
            break
    return LogLines(tuple(newest), start + whole if data else size)


def _kept(lines: list[bytes], request: ReadLog, oldest: float | None) -> Iterator[str]:
    """Lines that are wanted. One without a time is as old as the one before."""
    young = True
    for raw in lines:
        if oldest is not None:
            at = time_of(raw)
            young = young if at is None else at >= oldest
        line = raw.decode("utf-8", "replace")
        if young and (request.contains is None or request.contains in line):
            yield line


def _oldest(request: ReadLog) -> Steps[float | None]:
    if request.since_s is None:
        return None
    now = time_of((yield from do(WallTime())).encode())
    return None if now is None else now - request.since_s


def time_of(line: bytes) -> float | None:
    """Seconds since 1970 of the first time in a line."""
    from datetime import datetime

    found = _STAMP.search(line[:_STAMP_WITHIN_BYTES])
    if found is None:
        return None
    iso, zone, common, offset = (each and each.decode() for each in found.groups())
    try:
        if iso:
            return datetime.fromisoformat(f"{iso}{zone}".replace("Z", "+00:00")).timestamp()
        return datetime.strptime(f"{common} {offset}", "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        return None
