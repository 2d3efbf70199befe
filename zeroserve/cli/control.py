"""Control: `zeroserve status` and `zeroserve reload`, which ask a running server."""

import json
from pathlib import Path

import click

from zeroserve.control.client import ControlClient, default_socket
from zeroserve.errors import EXIT_OK, EXIT_REFUSED, ControlRefused

STATUS_SECONDS = 10.0
RELOAD_SECONDS = 600.0  # a large archive made elsewhere is hashed while it loads

CONTROL_OPTION = click.option(
    "--control",
    metavar="PATH",
    help="The server's control socket. [default: ${XDG_RUNTIME_DIR:-/run}/zeroserve/control.sock]",
)


@click.command("status", short_help="Ask a running server what it serves.")
@CONTROL_OPTION
@click.option("--json", "as_json", is_flag=True, help="The whole answer, as JSON.")
def status_command(control: str | None, as_json: bool) -> int:
    """Ask a running server what it serves. Exit code 1 when none answers."""
    status = _client(control, STATUS_SECONDS).status()
    if as_json:
        click.echo(json.dumps(status, indent=2))
        return EXIT_OK
    listeners = status.get("listeners")
    places = [
        f"{one.get('scheme')}://{one.get('address')}"
        for one in (listeners if isinstance(listeners, list) else [])
        if isinstance(one, dict)
    ]
    click.echo(f"zeroserve {status.get('version')}, pid {status.get('pid')}")
    click.echo(f"  since       {status.get('started_at')}")
    click.echo(f"  listening   {', '.join(places)}")
    click.echo(f"  generation  {status.get('generation')}")
    click.echo(f"  release     {status.get('release') or '-'}")
    click.echo(f"  digest      {status.get('release_digest') or '-'}")
    click.echo(f"  site        {status.get('site_digest') or '-'}")
    click.echo(f"  last reload {_last_reload(status.get('last_reload'))}")
    return EXIT_OK


def _last_reload(last: object) -> str:
    if not isinstance(last, dict):
        return "none"
    outcome = "done" if last.get("ok") else f"refused: {last.get('error')}"
    return f"{last.get('id')} at {last.get('at')}, {outcome}"


@click.command("reload", short_help="Let a running server load its site again, and wait for it.")
@CONTROL_OPTION
@click.option(
    "--expect",
    metavar="DIGEST",
    help="The release digest that must be found; with any other nothing changes.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole answer, as JSON.")
def reload_command(control: str | None, expect: str | None, as_json: bool) -> int:
    """Let a running server load its site, certificate and key again, and wait until it is done.

    Exit code 1 when the server refused what it found; it goes on serving the old site.
    """
    answer = _client(control, RELOAD_SECONDS).reload(expect)
    if as_json:
        fields = ("ok", "id", "generation", "release_digest", "error")
        click.echo(json.dumps({"v": 1, **{name: getattr(answer, name) for name in fields}}))
        return EXIT_OK if answer.ok else EXIT_REFUSED
    if not answer.ok:
        raise ControlRefused(
            "reload-refused",
            f"reload {answer.id}: {answer.error}",
            hint="the old site is still served",
        )
    click.echo(f"reload {answer.id}: generation {answer.generation}, {answer.release_digest}")
    return EXIT_OK


def _client(control: str | None, timeout_s: float) -> ControlClient:
    return ControlClient(default_socket() if control is None else Path(control), timeout_s)
