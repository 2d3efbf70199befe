"""`zsops daemon`: the hosts' servers themselves, apart from what they serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import typer

from zsops import daemons
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.errors import ExitCode
from zsops.fleet import Fleet
from zsops.report.quantities import age_text

app = typer.Typer(help="Install, start, stop, reload the hosts' servers.", no_args_is_help=True)
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
