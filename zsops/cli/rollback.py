"""`zsops rollback`: the site of an earlier release comes back, as a new release."""

from __future__ import annotations

from typing import Annotated

import typer

from zsops.cli.completion import complete_release
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.cli.watch import watch
from zsops.report.quantities import short_digest


def rollback(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="RELEASE",
            help="A release that `history` or `status` names.",
            autocompletion=complete_release,
        ),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option("--site", metavar="SITE", help="Only this one of several sites goes back."),
    ] = None,
    with_secrets: Annotated[
        bool,
        typer.Option(
            "--with-secrets",
            help="Bring its certificate and keys back, too: they may have expired.",
        ),
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")
    ] = "",
) -> None:
    """Bring back the newest confirmed release whose site differs from the one in service.

    Again, it goes further back. It does not ask: who rolls back is in a hurry, and can deploy.
    """
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    if site is not None:
        for (host, instance), release in fleet.rollback_of_site(site, to).items():
            invocation.say(f"{instance} on {host}: site {site} back to that of {release}")
    else:
        for (host, instance), source in fleet.rollback_preview(to).items():
            digest = short_digest(source.site_digest)
            invocation.say(f"{instance} on {host}: back to the site of {source.release} ({digest})")
    run = fleet.rollback(to, reason=reason, with_secrets=with_secrets, site=site)
    raise typer.Exit(watch("rollback", fleet, run, invocation))
