"""Arguments several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from zsops.cli.completion import complete_env, complete_env_or_host, complete_site

EnvArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="ENV",
        help="Environment; may be left out when there is only one.",
        autocompletion=complete_env,
        show_default=False,
    ),
]
EnvOption = Annotated[
    str | None,
    typer.Option("-e", "--env", metavar="ENV", help="Environment.", autocompletion=complete_env),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")]
PlaceArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="ENV|HOST",
        help="Environment, or one host of it; may be left out when there is only one.",
        autocompletion=complete_env_or_host,
        show_default=False,
    ),
]
SiteArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="SITE",
        help="Site; all of them when left out.",
        autocompletion=complete_site,
        show_default=False,
    ),
]
