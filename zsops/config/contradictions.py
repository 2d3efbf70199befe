"""What no single key can know: names that fit nothing, machines and ports that two want."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping

from zsops.config.document import Document, Location
from zsops.config.hosts import Machine, machines
from zsops.config.models import Environment, FleetConfig, Instance
from zsops.config.problems import Problem, did_you_mean
from zsops.config.scope import on_machine
from zsops.config.selector import SelectorError, means, select, words
from zsops.config.strategy import BUILT_IN, Strategy

#: Yields problems on the way to its result.
_Machines = Generator[Problem, None, tuple[Machine, ...]]


def contradictions(config: FleetConfig, document: Document) -> Iterator[Problem]:
    """Every problem of a file whose parts are right each for itself."""
    owners: dict[tuple[str | None, str], str] = {}
    taken: dict[tuple[str | None, str], str] = {}
    for name, strategy in config.strategies.items():
        yield from _strategy_problems(document, strategy, ("strategies", name))
    for env_name, environment in config.environments.items():
        at: Location = ("environments", env_name)
        found = yield from _machines(config, environment, document, at)
        if environment.strategy is not None:
            yield from _chosen_strategy(config, environment, found, document, at)
        for name, instance in environment.instances.items():
            here: Location = (*at, "instances", name)
            yield from _site_problems(document, instance, here)
            yield from _secret_problems(config, document, instance, here)
            for machine in (yield from _on(instance, found, document, here)):
                owner = owners.setdefault((machine.address, name), env_name)
                if owner != env_name:
                    text = f"instance `{name}` on host `{machine.name}` already belongs to"
                    yield Problem(document.key(here), f"{text} `{owner}`", "give it another name")
                yield from _address_problems(document, instance, machine, here, taken)


def _machines(
    config: FleetConfig, environment: Environment, document: Document, at: Location
) -> _Machines:
    """The environment's machines, each once."""
    ssh = environment.ssh.over(config.defaults.ssh)
    seen: dict[str, str] = {}
    found: list[Machine] = []
    for pattern, host in environment.hosts.items():
        for machine in machines(pattern, host, ssh):
            first = seen.setdefault(machine.name, pattern)
            if first != pattern:
                yield Problem(
                    document.key((*at, "hosts", pattern)),
                    f"host `{machine.name}` is in `{first}` already",
                    "a host is declared once",
                )
                break
            found.append(machine)
    return tuple(found)


def _on(
    instance: Instance, found: tuple[Machine, ...], document: Document, at: Location
) -> _Machines:
    if instance.on is None:
        return found
    unknown = list(_unknown_words(instance.on, found, document, (*at, "on")))
    yield from unknown
    left = select(instance.on, found)
    if not left and not unknown:
        yield Problem(document.value((*at, "on")), f"`{instance.on}` means no host", None)
    return left


def _unknown_words(
    selector: str, found: tuple[Machine, ...], document: Document, at: Location
) -> Iterator[Problem]:
    known = {each.name for each in found} | {group for each in found for group in each.groups}
    for word in words(selector):
        if not any(means(word, each) for each in found):
            yield Problem(document.value(at), f"`{word}` means no host", did_you_mean(word, known))


def _chosen_strategy(
    config: FleetConfig,
    environment: Environment,
    found: tuple[Machine, ...],
    document: Document,
    at: Location,
) -> Iterator[Problem]:
    name = environment.strategy or ""
    strategy = config.strategies.get(name) or BUILT_IN.get(name)
    if strategy is None:
        known = {*config.strategies, *BUILT_IN}
        yield Problem(
            document.value((*at, "strategy")), f"no strategy `{name}`", did_you_mean(name, known)
        )
        return
    for wave in strategy.waves:
        if not wave[0].isdigit():
            yield from _unknown_words(wave, found, document, (*at, "strategy"))


def _strategy_problems(document: Document, strategy: Strategy, at: Location) -> Iterator[Problem]:
    for number, wave in enumerate(strategy.waves):
        if wave[0].isdigit():
            continue
        try:
            select(wave, ())
        except SelectorError as error:
            yield Problem(document.value((*at, "waves", number)), f"no wave: {error}", None)


def _address_problems(
    document: Document,
    instance: Instance,
    machine: Machine,
    at: Location,
    taken: dict[tuple[str | None, str], str],
) -> Iterator[Problem]:
    try:
        here = on_machine(instance, machine).listen
    except ValueError:
        yield Problem(
            document.value((*at, "listen", "https")),
            f"`{{addr}}` of host `{machine.name}` is no IP address but `{machine.address}`",
            "write `:443`, or an `addr` that is one",
        )
        return
    for scheme, address in here.addresses:
        mine = f"{at[1]}.{at[3]}.{scheme}"
        first = taken.setdefault((machine.address, address), mine)
        if first != mine:
            text = f"`{address}` on host `{machine.name}` is taken by `{first}`"
            yield Problem(document.value((*at, "listen", scheme)), text, "give it another port")


def _secret_problems(
    config: FleetConfig, document: Document, instance: Instance, at: Location
) -> Iterator[Problem]:
    for number, name in enumerate(instance.tls):
        # One name may stand alone, several stand in a list.
        span = document.value((*at, "tls", number)) or document.value((*at, "tls"))
        if name not in config.tls:
            yield Problem(span, f"no `tls` called `{name}`", did_you_mean(name, config.tls))
        elif name in instance.tls[:number]:
            yield Problem(span, f"`{name}` stands there twice", "name each certificate once")
    if instance.ech is not None and instance.ech not in config.ech:
        span = document.value((*at, "ech"))
        hint = did_you_mean(instance.ech, config.ech)
        yield Problem(span, f"no `ech` called `{instance.ech}`", hint)
    if instance.tls and not instance.host_names:
        yield Problem(
            document.key((*at, "tls")),
            "a certificate needs host names to be for",
            "name them: `sites: {NAME: [acme.org]}`",
        )
    if instance.ech is not None and not instance.tls:
        text = "`ech` needs a certificate of its own, too"
        yield Problem(document.key((*at, "ech")), text, "add `tls: NAME`")


def _site_problems(document: Document, instance: Instance, at: Location) -> Iterator[Problem]:
    if instance.site is not None and instance.sites is not None:
        yield Problem(
            document.key((*at, "sites")), "`site` and `sites` exclude each other", "keep one"
        )
    elif instance.site is None and not instance.sites:
        yield Problem(document.key(at), f"instance `{at[-1]}` serves no site", "add `site: NAME`")
    if instance.sites is not None and len(instance.sites) > 1:
        yield from _host_problems(document, instance.sites, at)


def _host_problems(
    document: Document, sites: Mapping[str, tuple[str, ...]], at: Location
) -> Iterator[Problem]:
    """With several sites the host name says which is meant."""
    owner: dict[str, str] = {}
    for site, names in sites.items():
        if not names:
            text = f"site `{site}` has no host name, so nobody could ask for it"
            yield Problem(document.key((*at, "sites", site)), text, "name at least one")
        for number, name in enumerate(names):
            span = document.value((*at, "sites", site, number))
            first = owner.setdefault(name, site)
            if first != site:
                yield Problem(span, f"`{name}` is site `{first}`'s already", "a host has one site")
            if name.startswith("*."):
                text = f"`{name}`: with several sites host names are compared whole"
                yield Problem(span, text, "name each host")
