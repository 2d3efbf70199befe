"""Status: `zeroserve status`, what a running server says of itself, as a table or as JSON."""

import datetime
import json
from collections.abc import Iterator, Mapping

import click

from zeroserve.cli.control import CONTROL_OPTION, STATUS_SECONDS, client_of
from zeroserve.errors import EXIT_OK

CLASSES = ("2xx", "3xx", "4xx", "5xx")


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
    yield "generation", _said(status, "generation")
    yield "release", _said(status, "release")
    yield "digest", _said(status, "release_digest")
    yield "site", _said(status, "site_digest")
    refused = numbers.get("connections_refused")
    connections = (
        f"{_said(numbers, 'connections_open')} open, {_said(numbers, 'connections')} in all"
    )
    yield "connections", connections + (f", {refused} turned away" if refused else "")
    classes = [f"{numbers[f'responses_{one}']} {one}" for one in CLASSES if _has(numbers, one)]
    yield "requests", ", ".join([f"{_said(numbers, 'requests')} answered", *classes])
    yield "last reload", _last_reload(status.get("last_reload"))


def _has(numbers: Mapping[str, object], one: str) -> bool:
    return f"responses_{one}" in numbers


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
