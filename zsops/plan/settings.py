"""From the configuration's words to the host's: settings, health policy, URL. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from zsops.config.models import Check, Defaults, Instance
from zsops.config.values import split_address
from zsops.host import messages as m


def settings_of(instance: Instance) -> m.InstanceSettings:
    """What the host writes down for the instance. The first name is the one probes ask for."""
    host, _ = split_address(instance.listen.https)
    address = ipaddress.ip_address(host)
    names = [*instance.host_names]
    if address.is_loopback or address.is_unspecified:
        names += ["localhost", "127.0.0.1", "::1"]
    if not address.is_unspecified:
        names.append(host)
    return m.InstanceSettings(
        names=tuple(dict.fromkeys(names)),
        tls_addresses=(instance.listen.https,),
        addresses=() if instance.listen.http is None else (instance.listen.http,),
    )


def with_the_hosts_own(
    wished: m.InstanceSettings, seen: m.InstanceSettings | None
) -> m.InstanceSettings:
    """What the file has no words for stays as the host's owner has it."""
    if seen is None:
        return wished
    return m.InstanceSettings(
        names=wished.names,
        tls_addresses=wished.tls_addresses,
        addresses=wished.addresses,
        log_format=seen.log_format,
        flags=seen.flags,
        program=seen.program,
    )


def url_of(instance: Instance, machine: str | None = None) -> str:
    """Where a person finds it: by its first host name, else by its (or the machine's) address."""
    host, port = split_address(instance.listen.https)
    address = ipaddress.ip_address(host)
    if instance.host_names:
        shown = instance.host_names[0]
    elif address.is_unspecified:
        shown = machine or "localhost"
    else:
        shown = f"[{host}]" if address.version == 6 else host
    return f"https://{shown}/" if port == 443 else f"https://{shown}:{port}/"


def health_of(
    defaults: Defaults,
    checks: Sequence[tuple[str, Check]],
    content: tuple[m.ContentCheck, ...],
) -> m.HealthPolicy:
    """When a new release counts as healthy. The host speaks in seconds, the file in durations.

    `checks`: the host name to ask for (empty: the instance's first), and what to ask.
    """
    return m.HealthPolicy(
        successes=defaults.health.successes,
        interval_s=defaults.health.interval / 1000,
        timeout_s=defaults.health.timeout / 1000,
        checks=tuple(
            m.StatusCheck(
                path=each.path,
                status=each.status,
                body_contains=each.body_contains,
                header=tuple((name.lower(), value) for name, value in each.header.items()),
                host=host,
            )
            for host, each in checks
        ),
        content=content,
        protocols=defaults.health.protocols,
    )
