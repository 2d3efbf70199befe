"""`zsops ech`: the keys of Encrypted Client Hello, and their rotation phase by phase."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from zsops import renewal
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption, Reason
from zsops.cli.watch import watch
from zsops.errors import ExitCode, UsageError
from zsops.fleet import Fleet
from zsops.material import ech_rotation
from zsops.material.dns_record import published
from zsops.material.ech_keys import EchDirectory, KeptKey
from zsops.material.ech_rotation import Phase
from zsops.renewal import EchUse

app = typer.Typer(help="Look at ECH keys; rotate them.", no_args_is_help=True)
_HEADER = ("ECH", "KEY", "ROLE", "MADE", "SINCE", "HOSTS")
_PHASES: tuple[Phase, ...] = ("add", "promote", "retire")

DnsCheck = Annotated[
    bool, typer.Option("--dns-check", help="Ask DNS whether the records are published.")
]
Nameserver = Annotated[
    str | None,
    typer.Option("--nameserver", metavar="ADDRESS[:PORT]", help="Ask this one, not the system's."),
]


@app.command()
def status(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    dns_check: DnsCheck = False,
    nameserver: Nameserver = None,
) -> None:
    """Show the keys, the hosts that have them, and the records that DNS should have."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    served = _served(fleet)
    rows, result, code = [], [], ExitCode.OK
    for use in renewal.ech_uses(fleet):
        for key in use.directory.kept():
            having = served.get((use.name, key.config), 0)
            rows.append(_row(use.name, key, f"{having} of {_hosts(fleet, use.name)}"))
        missing = _missing(use, nameserver) if dns_check else []
        code = ExitCode.DRIFT if missing else code
        result.append(_result(use, missing))
        for name in missing:
            invocation.say(f"DNS does not tell of the newest key for `{name}`")
    lines = [line for each in result for line in each["records"]]
    text = columns(_HEADER, rows) + "\n\n" + "\n".join(lines)
    invocation.answer("ech", {"environment": fleet.env, "ech": result}, text, code)
    raise typer.Exit(code)


@app.command()
def rotate(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    phase: Annotated[
        str | None,
        typer.Option(
            "--phase",
            metavar="PHASE",
            help="Do this one now: add, promote, retire.",
            autocompletion=lambda: list(_PHASES),
        ),
    ] = None,
    dns_check: DnsCheck = False,
    nameserver: Nameserver = None,
    reason: Reason = "",
) -> None:
    """Do the phase that is due: add a key, promote it, retire the old one. Run it now and then.

    A phase that was cut off is finished first. With --dns-check a key is promoted only when DNS
    tells of it.
    """
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    if phase is not None and phase not in _PHASES:
        raise UsageError(f"`--phase {phase}`: there are {', '.join(_PHASES)}")
    now = datetime.now(UTC)
    uses = renewal.ech_uses(fleet)
    for use in uses:
        wanted = _step(invocation, use, phase, now)
        if wanted is None:
            continue
        if wanted == "promote" and dns_check and (missing := _missing(use, nameserver)):
            raise UsageError(
                f"DNS does not tell of the key yet for `{missing[0]}`",
                hint=f"publish: {use.records()[0]}",
            )
        _do(fleet, use.directory, wanted, now)
        invocation.say(f"{use.name}: {wanted}")
    fresh = invocation.fleet(one_environment(env, env_option))
    run = renewal.rotate(fresh, reason=reason or "ECH keys").called("ech")
    code = watch("ech", run, invocation)
    if code is ExitCode.OK:
        for use in uses:
            keys = use.directory.kept()
            if any(each.since is None for each in keys):
                use.directory.save(ech_rotation.arrived(keys, datetime.now(UTC)))
    for use in uses:
        _tell(invocation, use)
    raise typer.Exit(code)


def _step(invocation: Invocation, use: EchUse, phase: str | None, now: datetime) -> Phase | None:
    """What is to be done to the keys before they are brought out."""
    keys = use.directory.kept()
    next_one = ech_rotation.due(keys, use.directory.ech, now)
    if next_one is None:
        invocation.say(f"{use.name}: finishing the phase that was cut off")
        return None
    for each in _PHASES:
        if phase == each:
            _judge_forced(each, keys)
            return each
    return next_one.phase if next_one.is_due(now) else None


def _judge_forced(phase: Phase, keys: tuple[KeptKey, ...]) -> None:
    roles = [each.role for each in keys]
    if phase == "add" and "beside" in roles:
        raise UsageError("a new key is beside the old one already", hint="`--phase promote`")
    if phase == "promote" and "beside" not in roles:
        raise UsageError("there is no key to promote", hint="`--phase add` makes one")
    if phase == "retire" and "old" not in roles:
        raise UsageError("there is no old key to retire")


def _do(fleet: Fleet, directory: EchDirectory, phase: Phase, now: datetime) -> None:
    if phase == "add":
        directory.add(fleet.project.config.secrets.recipients, now)
        return
    keys = directory.kept()
    if phase == "promote":
        directory.save(ech_rotation.promoted(keys))
        return
    kept = ech_rotation.retired(keys, directory.ech, now)
    if kept == keys:  # asked for by name, before its time
        kept = tuple(each for each in keys if each.role != "old")
    directory.save(kept)


def _tell(invocation: Invocation, use: EchUse) -> None:
    if invocation.form != "text":
        return
    for line in use.records():
        invocation.say(f"publish: {line}")
    found = ech_rotation.due(use.directory.kept(), use.directory.ech, datetime.now(UTC))
    if found is not None:
        invocation.say(
            f"{use.name}: next is `{found.phase}`, from {found.at:%Y-%m-%d %H:%M} UTC on"
            f" ({found.why})"
        )


def _missing(use: EchUse, nameserver: str | None) -> list[str]:
    """Names whose record does not have the key that clients should be told of."""
    wanted = use.directory.config_list()
    return [name for name, port in use.doors if wanted not in published(name, port, nameserver)]


def _served(fleet: Fleet) -> dict[tuple[str, str], int]:
    """(name of `ech:`, config) → on how many hosts it is in service."""
    used = {(machine.name, name): each.ech for machine, name, each in fleet.scope}
    found: dict[tuple[str, str], int] = {}
    for each in fleet.status():
        current, name = each.observation.current, used[each.host, each.instance]
        for key in current.ech if current is not None and name is not None else ():
            found[name or "", key.config] = found.get((name or "", key.config), 0) + 1
    return found


def _hosts(fleet: Fleet, name: str) -> int:
    return sum(each.ech == name for _, _, each in fleet.scope)


def _row(name: str, key: KeptKey, hosts: str) -> tuple[str, ...]:
    since = key.since[:10] if key.since else "on its way"
    return name, f"{key.config_id:02x}", key.role, key.made[:10], since, hosts


def _result(use: EchUse, missing: list[str]) -> dict[str, Any]:
    return {
        "name": use.name,
        "public_name": use.directory.ech.public_name,
        "keys": [each.model_dump(exclude={"file"}) for each in use.directory.kept()],
        "records": use.records(),
        "not_published": missing,
    }
