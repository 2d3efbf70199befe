"""Pack: `zeroserve pack DIR -o SITE.tar`, and `--pack DIR` of the announced interface."""

import os
import sys
from pathlib import Path

import click

from zeroserve.errors import EXIT_OK, PackRefused
from zeroserve.pack.archive import (
    PackOptions,
    PackResult,
    atomic_output,
    epoch_from_environment,
    pack,
)


@click.command("pack", short_help="Make a tarball of a folder, the same bytes everywhere.")
@click.argument("directory", metavar="DIR")
@click.option("-o", "--output", metavar="FILE", help="Where to. [default: standard output]")
@click.option(
    "--include-hidden",
    is_flag=True,
    help="Keep what is left out by default: version control, .env*, private keys, editor backups.",
)
def pack_command(directory: str, output: str | None, include_hidden: bool) -> int:
    """Make a tarball of DIR.

    The same tree gives the same bytes on every machine: members are sorted, owners and rights are
    fixed, and times are 0 unless SOURCE_DATE_EPOCH is set. Symbolic links are left out with a
    warning; links that leave the tree are refused.
    """
    pack_to(Path(directory), output, include_hidden)
    return EXIT_OK


def pack_to(directory: Path, output: str | None, include_hidden: bool) -> None:
    """Pack to a file (whole or not at all) or to standard output, and say on stderr what was done.

    Raises `PackRefused`.
    """
    options = PackOptions(include_hidden=include_hidden, mtime=epoch_from_environment(os.environ))
    if output is not None:
        with atomic_output(Path(output)) as file:
            result = pack(directory, file, options)
    else:
        if sys.stdout.isatty():
            raise PackRefused(
                "pack-terminal",
                "a tarball is not written to a terminal",
                hint=f"`zeroserve pack {directory} -o site.tar`",
            )
        try:
            result = pack(directory, sys.stdout.buffer, options)
            sys.stdout.buffer.flush()
        except OSError as error:
            # Python would try to write the rest once more when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            why = (error.strerror or str(error)).lower()
            raise PackRefused("pack-output", f"standard output cannot be written: {why}") from error
    _tell(result)


def _tell(result: PackResult) -> None:
    for warning in result.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"packed {result.members} entries ({result.size} bytes)\n"
        f"release {result.release_digest}\nsite    {result.site_digest}",
        err=True,
    )
