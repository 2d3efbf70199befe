"""Dev: `zeroserve dev DIR`, a folder served on this machine while it is worked on."""

from functools import partial
from pathlib import Path

import click

from zeroserve.dev.serve import listen_arguments, serve
from zeroserve.dev.session import build_folder
from zeroserve.dev.watch import WholeFolder
from zeroserve.errors import EXIT_OK, EXIT_REFUSED, PackRefused


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
    listen = listen_arguments(plain or address, plain=plain is not None)
    say = partial(click.echo, err=True)
    is_good = serve(partial(build_folder, tree), lambda: WholeFolder(tree), listen, say, say)
    return EXIT_OK if is_good else EXIT_REFUSED
