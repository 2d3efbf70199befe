"""`zsops daemon`: the hosts' servers themselves, apart from what they serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zsops import daemons
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.cli.watch import watch
from zsops.config.duration import parse_duration
from zsops.errors import ExitCode, UsageError
from zsops.facts.status import troubles
from zsops.fleet import Fleet
from zsops.report.quantities import age_text

app = typer.Typer(
    help="Install, upgrade, start, stop, reload the hosts' servers.", no_args_is_help=True
)
_HEADER = ("HOST", "INSTANCE", "DAEMON", "VERSION", "GENERATION", "RELEASE", "SINCE")
_Act = Callable[[Fleet], list[daemons.DaemonAt]]


@app.command()
def install(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Make the instances and start their daemons, with a page that says nothing is deployed."""
    _do(context, "install", env, env_option, daemons.install)


@app.command()
def start(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Start daemons that do not run."""
    _do(context, "start", env, env_option, daemons.start)


@app.command()
def stop(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Stop the daemons: each finishes the requests it has."""
    _do(context, "stop", env, env_option, daemons.stop)


@app.command()
def restart(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Stop and start, one host after the other. Nobody answers meanwhile on that host."""
    _do(context, "restart", env, env_option, daemons.restart)


@app.command()
def reload(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Load the release in service anew. No connection is dropped."""
    _do(context, "reload", env, env_option, daemons.reload)


@app.command()
def upgrade(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    wheel: Annotated[
        Path | None, typer.Option("--wheel", metavar="FILE", help="Send this wheel first.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION", help="A version the hosts have already."),
    ] = None,
    drain: Annotated[
        str | None,
        typer.Option(
            "--drain", metavar="TIME", help="Time an old daemon gets for its requests: 60s."
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", metavar="NAME", help="rolling, canary, all, or your own."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")
    ] = "",
) -> None:
    """Have another version of the server take over. No connection is refused or cut.

    It starts beside the old one on the same sockets, is checked, and the old one drains. Where it
    is not good the old one stays. Without options: what `daemon` in the file says.
    """
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    run = daemons.upgrade(
        fleet,
        wheel=wheel,
        version=version,
        drain_s=None if drain is None else _seconds(drain),
        reason=reason,
        strategy=fleet.strategy(strategy),
    )
    raise typer.Exit(watch("daemon", run, invocation))


def _seconds(text: str) -> float:
    try:
        return parse_duration(text) / 1000
    except ValueError as error:
        raise UsageError(f"`--drain` {error}") from None


@app.command()
def status(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Show what runs. Exit 13 when one does not."""
    _do(context, "status", env, env_option, daemons.look)


def _do(
    context: typer.Context, verb: str, env: str | None, env_option: str | None, act: _Act
) -> None:
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    found = act(fleet)
    stopped = [each for each in found if not each.state.running]
    code = ExitCode.DRIFT if verb == "status" and stopped else ExitCode.OK
    result = {
        "environment": fleet.env,
        "verb": verb,
        "daemons": [
            {"host": each.host, "instance": each.instance, **asdict(each.state)} for each in found
        ],
    }
    invocation.answer("daemon", result, columns(_HEADER, [_row(each) for each in found]), code)
    if invocation.form == "text":
        for each in found:
            for line in troubles(each.state):
                invocation.say(f"{each.instance} on {each.host}: {line}")
    raise typer.Exit(code)


def _row(each: daemons.DaemonAt) -> tuple[str, ...]:
    state = each.state
    if not state.running:
        return (each.host, each.instance, "stopped", "-", "-", "-", "-")
    return (
        each.host,
        each.instance,
        f"pid {state.pid}",
        state.version or "?",
        str(state.generation),
        state.release or "-",
        age_text(state.started_at) if state.started_at else "-",
    )
