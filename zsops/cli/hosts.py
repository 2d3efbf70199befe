"""`zsops hosts`: which they are, and the keys they are known by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zsops import live, upkeep
from zsops.cli import live_hosts
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.errors import UsageError
from zsops.transport.known_hosts import fingerprint, key_type, pin_line

app = typer.Typer(help="List the hosts; look at their keys and pin them.", no_args_is_help=True)


@app.command("ls")
def show(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """The hosts that `--on` means, with address, groups and labels. Asks none of them."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    rows, result = [], []
    for each in fleet.machines:
        labels = {**each.labels}
        rows.append(
            (
                each.name,
                each.address or "this machine",
                ",".join(each.groups) or "-",
                ",".join(f"{name}={value}" for name, value in labels.items()) or "-",
            )
        )
        result.append(
            {"host": each.name, "addr": each.address, "groups": each.groups, "labels": labels}
        )
    text = columns(("HOST", "ADDR", "GROUPS", "LABELS"), rows)
    invocation.answer("hosts", {"environment": fleet.env, "hosts": result}, text)


@app.command()
def facts(context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None) -> None:
    """Ask the hosts what they are: clock, user, free disk, systemd, software, kernel."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    found = live.look(fleet)
    for line in live_hosts.problems(found):
        invocation.say(line)
    code = live_hosts.code_of(found)
    result = {"environment": fleet.env, "facts": live_hosts.results(found)}
    invocation.answer("hosts", result, live_hosts.table(found), code)
    raise typer.Exit(code)


@app.command()
def recipients(
    context: typer.Context, env: EnvArgument = None, env_option: EnvOption = None
) -> None:
    """Show the public keys that secrets are encrypted to, by host."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    found = upkeep.recipients(fleet)
    rows = [(host, each) for host, keys in found for each in keys]
    result = {"recipients": [{"host": host, "keys": list(keys)} for host, keys in found]}
    invocation.answer("hosts", result, columns(("HOST", "RECIPIENT"), rows))


@app.command()
def trust(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Show the keys the hosts have, and write those down that are new. Compare them first!

    A key that differs from a known one is never replaced: remove the old line yourself.
    """
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    found = upkeep.untrusted(fleet)
    fresh: dict[Path, list[str]] = {}
    for each in found:
        for key in each.keys:
            invocation.say(f"{each.name}  {key_type(key)}  {fingerprint(key)}")
            fresh.setdefault(each.file, []).append(pin_line(each.name, key))
    count = sum(len(lines) for lines in fresh.values())
    files = ", ".join(f"`{each}`" for each in fresh)
    if count and not yes:
        if not (invocation.form == "text" and sys.stdin.isatty()):
            raise UsageError(
                f"{count} keys are not known yet, and nobody is here to compare them",
                hint="compare the fingerprints, then add `--yes`",
            )
        typer.confirm(f"write {count} keys to {files}?", abort=True, err=True)
    for file, lines in fresh.items():
        _append(file, lines)
    invocation.say(f"wrote {count} keys to {files}" if count else "every host's key is known")
    if any(each.is_hop for each in found):
        invocation.say("there are hosts behind these: run it again for them")
    pinned = [line for lines in fresh.values() for line in lines]
    invocation.answer("hosts", {"pinned": pinned}, "\n".join(pinned))


def _append(file: Path, lines: list[str]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if file.exists() else ""
        gap = "" if before.endswith("\n") or not before else "\n"
        with file.open("a") as output:
            output.write(gap + "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise UsageError(f"`{file}` cannot be written: {error.strerror}") from error
