"""`zsops dev`: a site of the project served on this machine, built again at every change."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zsops.cli.completion import complete_site
from zsops.cli.invocation import Invocation
from zsops.errors import ExitCode, UsageError

_PORT = 8443


def dev(
    context: typer.Context,
    site: Annotated[
        str | None,
        typer.Argument(
            metavar="SITE", help="Site.", autocompletion=complete_site, show_default=False
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="0: any free one.")
    ] = _PORT,
    plain: Annotated[
        bool, typer.Option("--http", help="Plain HTTP, without a certificate.")
    ] = False,
) -> None:
    """Serve a site here; a change of its sources is built and shown at once.

    Open pages load themselves again. What does not build is shown over them and here, and the
    former build stays. The site may be left out when there is only one.
    """
    invocation: Invocation = context.obj
    if invocation.form != "text":
        raise UsageError("`dev` talks to a person only", hint="leave out `--json` and `--jsonl`")
    name = _named(invocation, invocation.site_named(site))
    # Only here: a library that sees changes, and much else that no other command needs.
    from zeroserve.dev.serve import listen_arguments, serve
    from zeroserve.errors import ZeroserveError
    from zsops.dev.site import DevSite

    served = DevSite(invocation.config_file, name, invocation.detail)
    listen = listen_arguments(f"127.0.0.1:{port}", plain=plain)
    try:
        is_good = serve(served.build, served.watched, listen, invocation.say, _warn)
    except ZeroserveError as error:
        raise UsageError(error.message, hint=error.hint) from error
    if not is_good:
        raise UsageError("the server has ended; its own words are above")
    raise typer.Exit(ExitCode.OK)


def _named(invocation: Invocation, site: str | None) -> str:
    """The site that is meant. Raises UnknownName, UsageError."""
    project = invocation.project()
    names = list(project.config.sites)
    if site is None and len(names) > 1:
        raise UsageError(
            f"`{project.file.name}` has {len(names)} sites", hint=f"name one: {', '.join(names)}"
        )
    name = site or names[0]
    src = project.site(name).src
    if not (project.directory / src).is_dir():
        raise UsageError(
            f"site `{name}`: there is no directory `{src}`",
            hint="`src` is relative to the directory of `zsops.yaml`",
        )
    return name


def _warn(text: str) -> None:
    """On stderr, with `-q`, too."""
    sys.stderr.write(f"{text}\n")
