"""`zsops exec` and `zsops ssh`: commands on hosts, by a key that gets a shell."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from zsops import process, shell
from zsops.cli.completion import complete_host
from zsops.cli.invocation import Invocation
from zsops.cli.options import EnvOption
from zsops.errors import ExitCode, UsageError, worst

_TIMEOUT_S = 60.0
Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="-- CMD [ARG…]", help="Program and arguments; no shell reads them."),
]


def execute(
    context: typer.Context,
    command: Command = None,
    env_option: EnvOption = None,
    sudo: Annotated[bool, typer.Option("--sudo", help="By `sudo -n`.")] = False,
    group: Annotated[
        bool, typer.Option("--group-output", help="Say once what several hosts say alike.")
    ] = False,
) -> None:
    """Run a command on every host that `--on` means. Exit 16 when it fails on one."""
    invocation: Invocation = context.obj
    if not command:
        raise UsageError("there is no command", hint="write it after `--`")
    fleet = invocation.fleet(env_option)
    ran = shell.execute(fleet, command, sudo=sudo, timeout_s=invocation.timeout_s or _TIMEOUT_S)
    codes = [each.error.exit_code for each in ran if each.error is not None]
    codes += [ExitCode.COMMAND_FAILED for each in ran if each.error is None and each.code]
    code = worst(codes)
    result = {"environment": fleet.env, "hosts": [_result(each) for each in ran]}
    groups = shell.same_output(ran) if group else [((each.host,), each) for each in ran]
    text = "\n".join(line for hosts, each in groups for line in _lines(hosts, each, group=group))
    invocation.answer("exec", result, text, code)
    if invocation.form == "text":
        for each in (each for each in ran if each.error is not None):
            sys.stderr.write(f"{each.host}: {each.error.render() if each.error else ''}\n")
    raise typer.Exit(code)


def _lines(hosts: tuple[str, ...], ran: shell.HostRan, *, group: bool) -> list[str]:
    if ran.error is not None:
        return []
    said = [*ran.output.splitlines(), *ran.errors.splitlines()]
    ended = [f"ended with {ran.code}"] if ran.code else []
    if not group:
        return [f"{hosts[0]} | {line}" for line in [*said, *ended]]
    return [f"{len(hosts)} hosts: {', '.join(hosts)}", *(f"  {each}" for each in [*said, *ended])]


def _result(ran: shell.HostRan) -> dict[str, Any]:
    error = None if ran.error is None else {"code": ran.error.code, "message": ran.error.message}
    return {
        "host": ran.host,
        "code": None if ran.error else ran.code,
        "stdout": ran.output,
        "stderr": ran.errors,
        "error": error,
    }


def ssh(
    context: typer.Context,
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="Its name.", autocompletion=complete_host)
    ],
    command: Command = None,
    env_option: EnvOption = None,
) -> None:
    """Log in to a host the way zsops does. By its keys, its jump hosts, its known key."""
    invocation: Invocation = context.obj
    argv = shell.ssh_argv(invocation.fleet(env_option), host, command or ())
    sys.stdout.flush()
    process.become(argv)
