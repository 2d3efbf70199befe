"""The DNS HTTPS record that tells clients of the ECH key (RFC 9848), and what DNS says now."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from zsops.material.errors import MaterialError

_LIFETIME_S = 10.0


def record(name: str, port: int, ttl_s: int, config_list: str) -> str:
    """One line of a zone file.

    On another port than 443 the owner has the port in front, and the target must be named: with
    `.` a client looks for an address of the owner, finds none, and goes on without ECH.
    """
    owner, target = (f"{name}.", ".") if port == 443 else (f"_{port}._https.{name}.", f"{name}.")
    return f'{owner} {ttl_s} IN HTTPS 1 {target} alpn="h2,http/1.1" ech="{config_list}"'


def published(name: str, port: int, nameserver: str | None = None) -> Sequence[str]:
    """The ECHConfigLists that DNS has for `name`, base64; none when there is no record.

    `nameserver`: `ADDRESS` or `ADDRESS:PORT` to ask instead of the system's. Raises MaterialError.
    """
    import dns.exception
    import dns.rdatatype
    import dns.resolver
    from dns.rdtypes.svcbbase import ECHParam, ParamKey

    resolver = dns.resolver.Resolver(configure=nameserver is None)
    if nameserver is not None:
        address, _, own_port = (
            nameserver.rpartition(":") if ":" in nameserver else (nameserver, "", "53")
        )
        resolver.nameservers, resolver.port = [address], int(own_port)
    owner = name if port == 443 else f"_{port}._https.{name}"
    try:
        answer = resolver.resolve(owner, dns.rdatatype.HTTPS, lifetime=_LIFETIME_S)
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return []
    except dns.exception.DNSException as error:
        raise MaterialError(f"DNS does not tell of `{owner}`: {error}") from None
    found = []
    for each in answer:
        parameter = each.params.get(ParamKey.ECH)
        if isinstance(parameter, ECHParam):
            found.append(base64.b64encode(parameter.ech).decode())
    return found
