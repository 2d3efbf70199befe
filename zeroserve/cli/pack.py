"""Pack: `zeroserve pack DIR -o SITE.tar`, and `--pack DIR` of the announced interface."""

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

from zeroserve.cli.pack_options import COMPILER_OPTION, NO_IMMUTABLE_OPTION, PRECOMPRESS_OPTION
from zeroserve.errors import EXIT_OK, PackRefused
from zeroserve.pack.archive import (
    PackOptions,
    PackResult,
    atomic_output,
    epoch_from_environment,
    pack,
)
from zeroserve.pack.precompress import Progress
from zeroserve.pack.script_files import ScriptChoice


@click.command("pack", short_help="Make a tarball of a folder, the same bytes everywhere.")
@click.argument("directory", metavar="DIR")
@click.option("-o", "--output", metavar="FILE", help="Where to. [default: standard output]")
@click.option(
    "--include-hidden",
    is_flag=True,
    help="Keep what is left out by default: version control, .env*, private keys, editor backups.",
)
@PRECOMPRESS_OPTION
@NO_IMMUTABLE_OPTION
@COMPILER_OPTION
def pack_command(  # one for each flag
    directory: str,
    output: str | None,
    include_hidden: bool,
    precompress: tuple[str, ...],
    no_immutable: bool,
    compiler: str,
) -> int:
    """Make a tarball of DIR.

    The same tree gives the same bytes on every machine: members are sorted, owners and rights are
    fixed, and times are 0 unless SOURCE_DATE_EPOCH is set. Symbolic links are left out with a
    warning; links that leave the tree are refused. `_headers` and `_redirects` at the top of DIR
    become the rules of the site. Scripts (`.zeroserve/scripts/*.c`) are compiled.
    """
    options = PackOptions(
        include_hidden=include_hidden,
        precompress=precompress,
        immutable=not no_immutable,
        scripts=ScriptChoice(compiler),
    )
    pack_to(Path(directory), output, options)
    return EXIT_OK


def pack_to(directory: Path, output: str | None, options: PackOptions) -> None:
    """Pack to a file (whole or not at all) or to standard output, and say on stderr what was done.

    Raises `PackRefused`.
    """
    options = replace(options, mtime=epoch_from_environment(os.environ))
    if output is not None:
        with atomic_output(Path(output)) as file:
            result = _pack(directory, file, options)
    else:
        if sys.stdout.isatty():
            raise PackRefused(
                "pack-terminal",
                "a tarball is not written to a terminal",
                hint=f"`zeroserve pack {directory} -o site.tar`",
            )
        try:
            result = _pack(directory, sys.stdout.buffer, options)
            sys.stdout.buffer.flush()
        except OSError as error:
            # Python would try to write the rest once more when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            why = (error.strerror or str(error)).lower()
            raise PackRefused("pack-output", f"standard output cannot be written: {why}") from error
    _tell(result)


def _pack(directory: Path, output: BinaryIO, options: PackOptions) -> PackResult:
    if not sys.stderr.isatty():
        return pack(directory, output, options)
    with ExitStack() as stack:
        return pack(
            directory, output, options, _bar(stack, "precompressing"), _bar(stack, "compiling")
        )


def _bar(stack: ExitStack, label: str) -> Progress:
    """A progress bar that is drawn once there is something to wait for."""
    bar: ProgressBar[int] | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            made = click.progressbar(length=total, label=label, file=sys.stderr, show_pos=False)
            bar = stack.enter_context(made)
        bar.update(done - bar.pos)

    return show


def _tell(result: PackResult) -> None:
    for warning in result.warnings:
        click.echo(f"warning: {warning}", err=True)
    for note in result.notes:
        click.echo(note, err=True)
    click.echo(
        f"packed {result.members} entries ({result.size} bytes)\n"
        f"release {result.release_digest}\nsite    {result.site_digest}",
        err=True,
    )
