"""Status: `zeroserve status`, what a running server says of itself, as a table or as JSON."""

import datetime
import json
from collections.abc import Iterator, Mapping

import click

from zeroserve.cli.control import CONTROL_OPTION, STATUS_SECONDS, client_of
from zeroserve.errors import EXIT_OK

CLASSES = ("2xx", "3xx", "4xx", "5xx")
PROTOCOLS = {"HTTP/1": "requests_http1", "HTTP/2": "requests_http2"}
SHARES = {"half": 0.5, "99 %": 0.99}


@click.command("status", short_help="Ask a running server what it serves.")
@CONTROL_OPTION
@click.option("--json", "as_json", is_flag=True, help="The whole answer, as JSON.")
def status_command(control: str | None, as_json: bool) -> int:
    """Ask a running server what it serves. Exit code 1 when none answers."""
    status = client_of(control, STATUS_SECONDS).status()
    if as_json:
        click.echo(json.dumps(status, indent=2))
        return EXIT_OK
    for name, value in table(status, datetime.datetime.now(datetime.UTC)):
        click.echo(f"{name:<12} {value}")
    return EXIT_OK


def table(status: Mapping[str, object], now: datetime.datetime) -> Iterator[tuple[str, str]]:
    """The rows for a person. What the server did not say is a dash."""
    stats = status.get("stats")
    numbers: Mapping[str, object] = stats if isinstance(stats, dict) else {}
    yield "zeroserve", f"{_said(status, 'version')}, pid {_said(status, 'pid')}"
    yield "up", _uptime(status.get("started_at"), now)
    yield from _listeners(status.get("listeners"))
    yield "loops", f"{_said(numbers, 'threads_running')} of {_said(numbers, 'threads')} running"
    yield "generation", _said(status, "generation")
    yield "release", _said(status, "release")
    yield "digest", _said(status, "release_digest")
    yield "site", _said(status, "site_digest")
    refused = numbers.get("connections_refused")
    connections = (
        f"{_said(numbers, 'connections_open')} open, {_said(numbers, 'connections')} in all"
    )
    yield "connections", connections + (f", {refused} turned away" if refused else "")
    kinds = [(f"responses_{one}", one) for one in CLASSES]
    kinds += [(key, one) for one, key in PROTOCOLS.items()]
    counts = [f"{numbers[key]} {one}" for key, one in kinds if key in numbers]
    yield "requests", ", ".join([f"{_said(numbers, 'requests')} answered", *counts])
    yield "took", _latency(numbers.get("latency"))
    yield "sent", f"{_said(numbers, 'bytes_sent')} bytes of bodies"
    yield "cache", _cache(numbers)
    dropped = numbers.get("log_lines_dropped")
    if dropped:
        yield "log", f"{dropped} lines lost: the log was too slow, or could not be written"
    yield "last reload", _last_reload(status.get("last_reload"))


def _latency(latency: object) -> str:
    if not isinstance(latency, dict):
        return "-"
    bounds, counts = latency["bounds_seconds"], latency["counts"]
    total = sum(counts)
    if not total:
        return "nothing yet"
    within = [_within(share * total, bounds, counts) for share in SHARES.values()]
    shares = ", ".join(f"{name} {said}" for name, said in zip(SHARES, within, strict=True))
    mean_ms = 1000 * latency["sum_seconds"] / total
    return f"{shares}, {float(f'{mean_ms:.3g}'):g} ms on average"


def _within(wanted: float, bounds: list[float], counts: list[int]) -> str:
    done = 0
    for bound, count in zip(bounds, counts, strict=False):  # the last count has no bound
        done += count
        if done >= wanted:
            return f"within {1000 * bound:g} ms"
    return f"over {1000 * bounds[-1]:g} ms"


def _cache(numbers: Mapping[str, object]) -> str:
    hits, misses = numbers.get("cache_hits"), numbers.get("cache_misses")
    kept = f"{_said(numbers, 'cache_bytes')} bytes of small files"
    if isinstance(hits, int) and isinstance(misses, int) and hits + misses:
        kept += f", {100 * hits / (hits + misses):.4g} % found there"
    return kept


def _said(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return "-" if value is None else str(value)


def _listeners(listeners: object) -> Iterator[tuple[str, str]]:
    rows = (
        [one for one in listeners if isinstance(one, dict)] if isinstance(listeners, list) else []
    )
    for number, one in enumerate(rows):
        yield "listening" if number == 0 else "", f"{one.get('scheme')}://{one.get('address')}"


def _uptime(started: object, now: datetime.datetime) -> str:
    try:
        begin = datetime.datetime.fromisoformat(str(started))
        seconds = max(0, int((now - begin).total_seconds()))
    except (ValueError, TypeError):
        return "-"
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((at for at, (value, _) in enumerate(parts) if value), len(parts) - 1)
    shown = " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2])
    return f"{shown}, since {started}"


def _last_reload(last: object) -> str:
    if not isinstance(last, dict):
        return "none"
    outcome = "done" if last.get("ok") else f"refused: {last.get('error')}"
    return f"{last.get('id')} at {last.get('at')}, {outcome}"
