"""Dev: `zeroserve dev DIR`, a folder served on this machine while it is worked on."""

import signal
import tempfile
from contextlib import closing
from pathlib import Path

import click

from zeroserve.dev.events import EventServer
from zeroserve.dev.session import END_SECONDS_MAX, Session
from zeroserve.dev.watch import watching
from zeroserve.errors import EXIT_OK, EXIT_REFUSED, PackRefused

#: How often it is looked whether the server still runs.
LOOK_SECONDS = 1.0


@click.command("dev", short_help="Serve a folder on this machine; every change is shown at once.")
@click.argument("directory", metavar="DIR")
@click.option(
    "--tls-addr",
    "address",
    default="127.0.0.1:8443",
    show_default=True,
    metavar="ADDR",
    help="Where to listen, with a certificate made for this run.",
)
@click.option("--addr", "plain", metavar="ADDR", help="Listen here over plain HTTP instead.")
def dev_command(directory: str, address: str, plain: str | None) -> int:
    """Serve DIR, and pack and load it again after every change.

    Open pages load themselves again. What does not build is shown over them and here; the former
    build stays in service.
    """
    tree = Path(directory)
    if not tree.is_dir():
        raise PackRefused("pack-not-directory", f"`{directory}` is no directory")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server ends with us
    listen = ["--addr", plain] if plain else ["--tls-addr", address, "--dev-cert"]
    try:
        return _develop(tree, listen)
    except KeyboardInterrupt:
        return EXIT_OK  # whenever it comes: while the server starts, too


def _develop(tree: Path, listen: list[str]) -> int:
    with (
        watching(tree) as changes,
        closing(EventServer()) as events,
        tempfile.TemporaryDirectory(prefix="zeroserve-dev-") as place,
    ):
        session = Session(tree, Path(place), events, lambda text: click.echo(text, err=True))
        session.build_first()
        child = session.start([*listen, "--grace", "1"])
        try:
            while not child.has_ended():
                if changes.wait(LOOK_SECONDS):
                    session.refresh()
        finally:
            child.end(END_SECONDS_MAX)
    return EXIT_REFUSED
