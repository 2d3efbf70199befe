"""Certificates and ECH keys between deployments: how long they last, and bringing new ones out.

A rotation is a new release with the site that is in service and other secrets; a host that has
them already is left alone, so a rotation that was cut off is simply run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from zsops.apply.run import Run
from zsops.apply.target import Target
from zsops.build.wished import site_hosts
from zsops.config.hosts import Machine
from zsops.config.load import UnknownName
from zsops.config.models import Instance
from zsops.config.problems import did_you_mean
from zsops.config.strategy import Strategy
from zsops.config.values import split_address
from zsops.errors import NotInstalled, UsageError
from zsops.facts.status import InstanceStatus
from zsops.fleet import Fleet
from zsops.host import messages as m
from zsops.host.names import covers
from zsops.material.dns_record import record
from zsops.material.ech_keys import EchDirectory
from zsops.notify.around import Around, tell
from zsops.notify.notice import NoticeHost
from zsops.report.quantities import days_left

CertificateState = Literal["good", "soon", "expired", "mismatch", "outdated", "own", "unknown"]


@dataclass(frozen=True)
class CertificateStatus:
    """The certificate that one instance has in service. `problem`: what to do something about."""

    host: str
    instance: str
    name: str | None  # of `tls:`; None: the host's own
    state: CertificateState
    facts: m.CertificateFacts | None
    days: int | None
    problem: str | None = None


def certificates(fleet: Fleet) -> tuple[CertificateStatus, ...]:
    """What every instance shows, one entry a certificate; hosts out of reach are left out.

    Raises MaterialError.
    """
    now = datetime.now(UTC)
    instances = {(machine.name, name): each for machine, name, each in fleet.scope}
    return tuple(
        found
        for each in fleet.status()
        if each.error is None
        for found in _judged(fleet, instances[each.host, each.instance], each, now)
    )


@dataclass(frozen=True)
class CertificateReport:
    """All certificates; `warnings`: notices of `cert_expiring` that could not be sent."""

    certificates: tuple[CertificateStatus, ...]
    warnings: tuple[str, ...]


def certificate_report(fleet: Fleet) -> CertificateReport:
    """As `certificates`, and the file's notices are sent for those that end soon."""
    found = certificates(fleet)
    ending = [
        NoticeHost(host=each.host, instance=each.instance, outcome=each.state, detail=each.problem)
        for each in found
        if each.state in ("soon", "expired")
    ]
    told = tell(fleet, "cert_expiring", "tls", fleet.info(""), ending) if ending else ()
    return CertificateReport(found, tuple(told))


def _judged(
    fleet: Fleet, instance: Instance, status: InstanceStatus, now: datetime
) -> Iterator[CertificateStatus]:
    current = status.observation.current
    shown = current.certificates if current is not None else ()
    by_name = {each.name: each for each in shown[1:]}
    for number, name in enumerate(instance.tls or (None,)):
        facts = (shown[0] if shown else None) if number == 0 else by_name.get(name or "")
        yield _one(fleet, instance, status, facts, name, now)


def _one(
    fleet: Fleet,
    instance: Instance,
    status: InstanceStatus,
    facts: m.CertificateFacts | None,
    name: str | None,
    now: datetime,
) -> CertificateStatus:
    current = status.observation.current
    days = days_left(facts.not_after, now) if facts is not None else None
    state: CertificateState = "unknown"
    problem: str | None = None
    if current is not None and facts is not None and days is not None:
        if days < 0:
            state, problem = "expired", f"expired {-days} d ago"
        elif name is None:
            # The host renews its own with the next deployment.
            state = "own"
        else:
            state, problem = _declared(fleet, instance, current, name, days)
    elif current is not None and name is not None:
        state, problem = "outdated", "is not on the host: `zsops tls rotate`"
    return CertificateStatus(status.host, status.instance, name, state, facts, days, problem)


def _declared(
    fleet: Fleet, instance: Instance, current: m.ReleaseInfo, name: str, days: int
) -> tuple[CertificateState, str | None]:
    wanted = fleet.materials.of(instance)
    assert wanted is not None
    foreign = [
        host
        for host in instance.host_names
        if not any(covers(each, host) for each in current.certificates)
    ]
    if foreign:
        return "mismatch", f"is not for `{foreign[0]}`"
    if current.material != wanted.source:
        return "outdated", "the project has other secrets: `zsops tls rotate`"
    least = fleet.project.config.tls[name].min_days
    if days < least:
        return "soon", f"fewer than {least} d left"
    return "good", None


def rotate(
    fleet: Fleet, *, reason: str = "", strategy: Strategy | None = None, tls: str | None = None
) -> Around:
    """Bring the project's certificates and keys to every instance that declares some.

    `tls`: only to instances that use this certificate. Raises UsageError when there is none,
    UnknownName, NotInstalled, MaterialError, HostUnreachable.
    """
    known = fleet.project.config.tls
    if tls is not None and tls not in known:
        raise UnknownName(f"no `tls` called `{tls}`", hint=did_you_mean(tls, known))
    seen = {(each.host, each.instance): each for each in fleet.status()}
    targets = []
    for machine, name, instance in fleet.scope:
        if not instance.tls or tls not in (None, *instance.tls):
            continue
        status = seen[machine.name, name]
        if status.state == "not deployed":
            raise NotInstalled(
                f"nothing is deployed to instance `{name}` on `{machine.name}`",
                hint=f"run `zsops deploy {fleet.env}`",
            )
        fleet.materials.wish(instance)
        targets.append(_target(fleet, machine, name, instance, status))
    if not targets:
        raise UsageError(
            f"no instance of `{fleet.env}` has "
            + ("a certificate of the project" if tls is None else f"the certificate `{tls}`"),
            hint="declare one: `tls: NAME` at the instance",
        )
    run = Run(
        targets,
        fleet.info(reason or "new certificates and keys"),
        rollout=fleet.rollout(strategy or fleet.strategy()),
        owner=fleet,
    )
    return Around(fleet, "tls", run)


def _target(
    fleet: Fleet, machine: Machine, name: str, instance: Instance, status: InstanceStatus
) -> Target:
    seal = fleet.materials.of(instance)
    current = status.observation.current
    return replace(
        # The site is the one that serves already; what has to be seen is the certificate.
        fleet.target(machine, name, instance),
        seal=seal,
        recipient=machine.recipient,
        rotates=True,
        site_hosts=site_hosts(instance),
        rollback_to=current.release if current is not None else None,
        settled=current.release
        if current is not None and seal is not None and current.material == seal.source
        else None,
    )


# -- ECH -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EchUse:
    """One `ech:` entry, and the names and ports that clients ask for it."""

    name: str
    directory: EchDirectory
    doors: tuple[tuple[str, int], ...]

    def records(self) -> list[str]:
        """Lines for the zone, one a name. Empty without a key."""
        told = self.directory.config_list()
        ttl_s = self.directory.ech.dns_ttl // 1000
        return (
            [] if told is None else [record(name, port, ttl_s, told) for name, port in self.doors]
        )


def ech_uses(fleet: Fleet) -> Sequence[EchUse]:
    """Every `ech:` entry that the environment uses. Raises UsageError when there is none."""
    doors: dict[str, dict[tuple[str, int], None]] = {}
    for _, _, instance in fleet.scope:
        if instance.ech is not None:
            _, port = split_address(instance.listen.https)
            found = doors.setdefault(instance.ech, {})
            found |= {(name.removeprefix("*."), port): None for name in instance.host_names}
    if not doors:
        raise UsageError(
            f"no instance of `{fleet.env}` uses ECH", hint="declare it: `ech: NAME` at the instance"
        )
    return [EchUse(name, fleet.materials.ech(name), tuple(found)) for name, found in doors.items()]
