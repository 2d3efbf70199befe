"""Commands on hosts, outside of the deploy protocol: `exec` and `ssh`.

They need a key that gets a shell. A deploy key is pinned to `zsops-host serve` and to nothing
else; sshd then runs that instead of what was asked, which must not pass for a success.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from zsops import process
from zsops.config.hosts import Machine
from zsops.config.load import UnknownName
from zsops.config.problems import did_you_mean
from zsops.errors import HostUnreachable, LoginRefused, UsageError
from zsops.fleet import Fleet


@dataclass(frozen=True)
class HostRan:
    """What a command came to on one host; `error`: it never ran there."""

    host: str
    code: int = 0
    output: str = ""
    errors: str = ""
    error: HostUnreachable | None = None


def execute(
    fleet: Fleet, command: Sequence[str], *, sudo: bool = False, timeout_s: float
) -> list[HostRan]:
    """Run a command (program and arguments, no shell's work) on every host, many at a time."""
    argv = [*(("sudo", "-n") if sudo else ()), *command]

    def run(machine: Machine) -> HostRan:
        try:
            return _here(machine, argv, timeout_s) if machine.address is None else there(machine)
        except HostUnreachable as error:
            return HostRan(machine.name, error=error)

    def there(machine: Machine) -> HostRan:
        mark = secrets.token_hex(8)
        line = f"echo {mark}; exec {shlex.join(argv)}"
        done = fleet.reach.over_ssh(machine).run(line, timeout_s)
        first, _, output = done.output.decode("utf-8", "replace").partition("\n")
        if first.strip() != mark:
            raise LoginRefused(
                f"`{machine.name}` ran another command than ours: its key is pinned to one",
                hint="name a key that gets a shell: `ssh.identity`",
            )
        return HostRan(machine.name, done.code, output, done.errors.decode("utf-8", "replace"))

    return fleet.each(run)


def _here(machine: Machine, argv: Sequence[str], timeout_s: float) -> HostRan:
    try:
        done = process.run(argv, timeout_s=timeout_s)
    except FileNotFoundError:
        return HostRan(machine.name, 127, errors=f"{argv[0]}: not found\n")
    except (OSError, TimeoutError) as error:
        raise HostUnreachable(f"`{argv[0]}` on `{machine.name}`: {error}") from error
    return HostRan(machine.name, done.code, done.output, done.errors)


def ssh_argv(fleet: Fleet, host: str, command: Sequence[str] = ()) -> list[str]:
    """The `ssh` command that goes the way zsops goes. Raises UnknownName, UsageError."""
    known = {each.name: each for each in fleet.machines}
    if host not in known:
        raise UnknownName(f"no host `{host}` in `{fleet.env}`", hint=did_you_mean(host, known))
    machine = known[host]
    if machine.address is None:
        raise UsageError(f"`{host}` is this machine")
    wish = fleet.reach.wish(machine)
    argv = ["ssh", "-o", "StrictHostKeyChecking=yes"]
    for option, value in (("-F", wish.config), ("-l", wish.user), ("-p", wish.port)):
        argv += [] if value is None else [option, str(value)]
    if wish.identity is not None:
        argv += ["-i", str(wish.identity), "-o", "IdentitiesOnly=yes"]
    if wish.known_hosts is not None:
        argv += ["-o", f"UserKnownHostsFile={wish.known_hosts}"]
    if wish.jump:
        argv += ["-J", ",".join(wish.jump)]
    return [*argv, "--", wish.address, *([shlex.join(command)] if command else [])]


def same_output(ran: Sequence[HostRan]) -> list[tuple[tuple[str, ...], HostRan]]:
    """Hosts that said the same, with what they said; in the order of their first."""
    groups: dict[tuple[object, ...], list[HostRan]] = {}
    for each in ran:
        said = each.error.message if each.error is not None else None
        groups.setdefault((each.code, each.output, each.errors, said), []).append(each)
    return [(tuple(each.host for each in mine), mine[0]) for mine in groups.values()]
