"""`zsops rollback`: the site of an earlier release comes back, as a new release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from zsops import upkeep
from zsops.cli.completion import complete_release
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption, Reason
from zsops.cli.pick import pick
from zsops.cli.watch import watch
from zsops.errors import HostUnreachable, UsageError
from zsops.fleet import Fleet
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
    steps: Annotated[
        int | None,
        typer.Option("--steps", metavar="N", min=1, help="So many confirmed releases back."),
    ] = None,
    pick_one: Annotated[
        bool, typer.Option("--pick", help="Show what there is and ask which, at a terminal.")
    ] = False,
    with_secrets: Annotated[
        bool,
        typer.Option(
            "--with-secrets",
            help="Bring its certificate and keys back, too: they may have expired.",
        ),
    ] = False,
    hold: Annotated[
        bool,
        typer.Option("--hold", help="Pause the hosts first, so that nothing deploys over it."),
    ] = False,
    reason: Reason = "",
) -> None:
    """Bring an earlier site back, as a new release.

    By default the newest confirmed one that differs from what is in service; again, it goes
    further back. It does not ask: who rolls back is in a hurry, and can deploy. With --site only
    this one of several sites goes back.
    """
    invocation: Invocation = context.obj
    site = invocation.site
    if sum((to is not None, steps is not None, pick_one)) > 1:
        raise UsageError("`--to`, `--steps` and `--pick` exclude each other")
    fleet = invocation.fleet(one_environment(env, env_option))
    only: Mapping[tuple[str, str], str] | None = None
    if pick_one:
        only = pick(invocation, fleet.returnable(site), site)
    elif site is not None:
        only = fleet.rollback_of_site(site, to, steps or 1)
    if only is not None:
        what = f"site {site} back to that of" if site else "back to the site of"
        for (host, instance), release in only.items():
            invocation.say(f"{instance} on {host}: {what} {release}")
    else:
        for (host, instance), source in fleet.rollback_preview(to, steps or 1).items():
            digest = short_digest(source.site_digest)
            invocation.say(f"{instance} on {host}: back to the site of {source.release} ({digest})")
    if hold:
        _pause(invocation, fleet, reason or "rolled back")
    run = fleet.rollback(
        to, steps=steps or 1, reason=reason, only=only, with_secrets=with_secrets, site=site
    )
    raise typer.Exit(watch("rollback", run, invocation))


def _pause(invocation: Invocation, fleet: Fleet, reason: str) -> None:
    """Going back is possible under a hold. A dead host keeps nobody from pausing the others."""
    try:
        upkeep.pause(fleet, reason)
    except HostUnreachable as error:
        invocation.warn(f"not paused everywhere: {error.message}")
    invocation.say("deployments are paused; `zsops resume` lets them go on")
