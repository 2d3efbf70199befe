"""Control: where a running server is asked, and `zeroserve reload`."""

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
    answer = client_of(control, RELOAD_SECONDS).reload(expect)
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


def client_of(control: str | None, timeout_s: float) -> ControlClient:
    """The client for `--control`, or for the place where a socket is looked for without it."""
    return ControlClient(default_socket() if control is None else Path(control), timeout_s)
