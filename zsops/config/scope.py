"""Which instances are on which machines: the environment, spread out and narrowed by a selector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zsops.config.hosts import Machine, machines
from zsops.config.models import Environment, FleetConfig, Instance
from zsops.config.problems import did_you_mean
from zsops.config.selector import SelectorError, select
from zsops.errors import UsageError


def machines_of(config: FleetConfig, environment: Environment) -> tuple[Machine, ...]:
    """Every machine of the environment, ranges spread out, in the order of the file."""
    ssh = environment.ssh.over(config.defaults.ssh)
    return tuple(
        machine
        for pattern, host in environment.hosts.items()
        for machine in machines(pattern, host, ssh)
    )


def chosen(found: tuple[Machine, ...], selector: str | None) -> tuple[Machine, ...]:
    """What `--on SELECTOR` leaves. Raises UsageError when that is nothing: a typo must not
    look like a deployment that had nothing to do."""
    if selector is None:
        return found
    try:
        left = select(selector, found)
    except (SelectorError, ValueError) as error:
        raise UsageError(f"`--on`: {error}", hint="write it as `eu & !canary`") from None
    if not left:
        known = {each.name for each in found} | {g for each in found for g in each.groups}
        raise UsageError(
            f"`--on '{selector}'` means no host", hint=did_you_mean(selector.strip(), known)
        )
    return left


def placed(
    found: tuple[Machine, ...], instances: Mapping[str, Instance]
) -> Iterator[tuple[Machine, str, Instance]]:
    """(machine, instance name, instance), its `listen` as it is on that machine."""
    for machine in found:
        for name, instance in instances.items():
            if instance.on is None or select(instance.on, (machine,)):
                yield machine, name, on_machine(instance, machine)


def on_machine(instance: Instance, machine: Machine) -> Instance:
    """The instance with `{addr}` filled in. Raises ValueError when there is no address for it."""
    listen = instance.listen
    here = {
        "https": machine.at(listen.https),
        "http": None if listen.http is None else machine.at(listen.http),
    }
    return instance.model_copy(update={"listen": listen.model_copy(update=here)})
