"""Diff: what an instance should serve, minus what it serves. Pure; time comes in as an argument."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from zsops.host import messages as m
from zsops.plan import alone
from zsops.plan.model import (
    CertificatePlan,
    DaemonAction,
    FileChange,
    InstancePlan,
    Plan,
    SecretsPlan,
    SitePlan,
    UnreachableHost,
)
from zsops.plan.notes import noted
from zsops.plan.settings import with_the_hosts_own
from zsops.plan.wish import Facts, WishedFile, WishedInstance, WishedMaterial

#: A saved plan is refused after this time: what a person approved should be what happens.
PLAN_LIFETIME = timedelta(hours=1)

_BLOCK_BYTES, _INDEX_RECORD_BYTES = 512, 72  # of a tar, and of its member index


def make_plan(  # noqa: PLR0913 - what a plan is about
    wishes: Sequence[WishedInstance],
    facts: Mapping[tuple[str, str], Facts],
    *,
    project: str,
    environment: str,
    now: datetime,
    unreachable: tuple[UnreachableHost, ...] = (),
    site: str | None = None,
) -> Plan:
    """The plan for `wishes`; `facts` by (host, instance) must have one entry for each."""
    instances = tuple(plan_instance(each, facts[each.host, each.instance]) for each in wishes)
    created = now.astimezone(UTC).replace(microsecond=0)
    content = json.dumps(
        [project, environment, site, *(each.model_dump() for each in instances)], sort_keys=True
    )
    return Plan(
        id=hashlib.sha256(content.encode()).hexdigest()[:12],
        project=project,
        environment=environment,
        created=_text(created),
        expires=_text(created + PLAN_LIFETIME),
        site=site,
        instances=instances,
        unreachable=unreachable,
    )


def plan_instance(wish: WishedInstance, facts: Facts) -> InstancePlan:
    """What happens to one instance."""
    seen = facts.observation
    current = seen.current
    source = wish.material.source if wish.material else ""
    is_alone = wish.only_site is not None
    settled = (
        alone.is_settled(wish, seen)
        if is_alone
        else current is not None
        and current.release_digest == wish.release_digest
        and current.material == source
        and seen.last_good == current.release
    )
    # Release 000000 is the page an instance is made with; for people that is nothing yet.
    deployed = current if current is not None and current.number > 0 else None
    settings_changed = seen.settings != with_the_hosts_own(wish.settings, seen.settings)
    known = {each.release_digest for each in seen.releases}
    switches = not settled
    changes = noted(diff_files(facts.members, wish.files), wish, facts)
    action, note = _daemon(wish, seen, switches=switches, settings_changed=settings_changed)
    return InstancePlan(
        host=wish.host,
        instance=wish.instance,
        site=wish.site,
        observed=seen.state_digest,
        old_release=deployed.release if deployed else None,
        old_site_digest=_old_digest(wish, deployed),
        new_site_digest=wish.site_digest,
        new_release_digest=wish.release_digest,
        files=len(wish.files),
        size=wish.size,
        upload=0 if wish.release_digest in known or settled else _upload(wish, facts.members),
        changes=changes,
        switches=switches,
        daemon=action,
        daemon_note=note,
        old_version=seen.daemon.version,
        new_version=None if wish.daemon_version == seen.daemon.version else wish.daemon_version,
        settings_changed=settings_changed,
        recovers=seen.phase.in_flight,
        url=wish.url,
        secrets=alone.secrets() if is_alone else _secrets(wish.material, current),
        sites=_sites(wish, deployed, changes),
        only_site=wish.only_site,
        unread_pages=wish.links.unread if wish.links and any(e.gone for e in changes) else 0,
        warnings=_warnings(wish, seen),
    )


def _sites(
    wish: WishedInstance, deployed: m.ReleaseInfo | None, changes: Sequence[FileChange]
) -> tuple[SitePlan, ...]:
    """One line a site, when there are several before or after."""
    if wish.only_site is not None:
        return alone.sites(wish, deployed, len(changes))
    old = {each.name: each for each in (deployed.sites if deployed is not None else ())}
    new = {each.name: each for each in wish.sites}
    if len(old) < 2 and len(new) < 2:
        return ()
    return tuple(
        SitePlan(
            site=name,
            old_digest=old[name].digest if name in old else None,
            new_digest=new[name].digest if name in new else None,
            changed=sum(
                any(
                    change.path.startswith(each.root)
                    for each in (old.get(name), new.get(name))
                    if each is not None and each.root
                )
                for change in changes
            ),
        )
        for name in sorted(old.keys() | new.keys())
    )


def _old_digest(wish: WishedInstance, deployed: m.ReleaseInfo | None) -> str | None:
    if wish.only_site is not None:
        return alone.old_digest(wish, deployed)
    return deployed.site_digest if deployed else None


def _secrets(wish: WishedMaterial | None, current: m.ReleaseInfo | None) -> SecretsPlan:
    source = wish.source if wish else ""
    old = current.certificate if current is not None and current.number > 0 else None
    new = wish.certificate if wish else None
    return SecretsPlan(
        name=wish.name if wish else None,
        source=source,
        changes=current is None or current.material != source,
        old_not_after=old.not_after if old else None,
        new_not_after=new.not_after if new else None,
        names=new.names if new else (),
        further=_further(wish, current),
    )


def _further(
    wish: WishedMaterial | None, current: m.ReleaseInfo | None
) -> tuple[CertificatePlan, ...]:
    """Certificates beside the first, before or after; one that goes has no new end."""
    old = {each.name: each for each in (current.further if current is not None else ())}
    new = dict(wish.further) if wish is not None else {}
    found = []
    for name in {**new, **old}:
        was, becomes = old.get(name), new.get(name)
        facts = becomes or was
        found.append(
            CertificatePlan(
                name=name,
                old_not_after=was.not_after if was else None,
                new_not_after=becomes.not_after if becomes else None,
                names=facts.names if facts else (),
            )
        )
    return tuple(found)


def _upload(wish: WishedInstance, members: Sequence[m.HostedMember]) -> int:
    """About what has to be sent: files the release in service lacks, with their headers, and the
    index of all. Older releases on the host may make it less."""
    if not members:
        return wish.size
    there = {(each.path, each.sha256) for each in members}
    fresh = [each for each in wish.files if (each.path, each.sha256) not in there]
    bodies = sum(_BLOCK_BYTES + -(-each.size // _BLOCK_BYTES) * _BLOCK_BYTES for each in fresh)
    index = sum(_INDEX_RECORD_BYTES + len(each.path.encode()) for each in wish.files)
    return min(wish.size, bodies + index)


def diff_files(old: Sequence[m.HostedMember], new: Sequence[WishedFile]) -> tuple[FileChange, ...]:
    """Files that differ, sorted by path."""
    before = {each.path: each for each in old}
    after = {each.path: each for each in new}
    changes = []
    for path in sorted(before.keys() | after.keys()):
        was, becomes = before.get(path), after.get(path)
        if was and becomes and was.sha256 == becomes.sha256:
            continue
        changes.append(
            FileChange(
                path=path,
                kind="added" if was is None else "removed" if becomes is None else "changed",
                old_size=was.size if was else None,
                new_size=becomes.size if becomes else None,
            )
        )
    return tuple(changes)


def content_checks(
    changes: Sequence[FileChange], files: Sequence[WishedFile]
) -> tuple[m.ContentCheck, ...]:
    """Files whose served bytes a health check compares: those that changed and are verbatim.

    Small ones first when there are too many: each is fetched over a connection of its own. When
    nothing changed (a first start of a known site), any of the site's files will do.
    """
    touched = {each.path for each in changes if each.kind != "removed"}
    fitting = [each for each in files if each.verbatim]
    chosen = [each for each in fitting if each.path in touched] or fitting
    chosen = sorted(chosen, key=lambda each: (each.size, each.path))[: m.CONTENT_CHECKS_MAX]
    return tuple(
        m.ContentCheck(
            path=each.path.removeprefix(each.root),
            sha256=each.sha256,
            size=each.size,
            host=each.host,
        )
        for each in chosen
    )


def _daemon(
    wish: WishedInstance, seen: m.Observation, *, switches: bool, settings_changed: bool
) -> tuple[DaemonAction, str]:
    daemon = seen.daemon
    if not seen.installed:
        return "install", "installed and started"
    if not daemon.running:
        return "start", f"not running ({daemon.error}): started" if daemon.error else "started"
    if settings_changed:
        return "restart", "restarted: its settings change; not reachable for a moment"
    if switches:
        return "reload", f"reloaded, generation {(daemon.generation or 0) + 1}; none is dropped"
    # It does not switch: what is wished for is what the state names.
    if seen.current is None or daemon.release_digest != seen.current.release_digest:
        return "restart", "restarted: it serves another release than the host's state says"
    return "none", ""


def _warnings(wish: WishedInstance, seen: m.Observation) -> tuple[str, ...]:
    said = []
    if seen.phase.in_flight:
        left = f", it reverts in {seen.deadline_s:.0f} s" if seen.deadline_s is not None else ""
        said.append(f"an unconfirmed deployment is under way{left}; it is undone first")
    if seen.unsafe:
        said.append(f"the host is marked unsafe: {seen.unsafe}")
    if seen.drift:
        said.append(f"drift: {seen.drift}")
    said.extend(
        f"this release failed here at {each.at}: {each.reason}"
        for each in seen.quarantine
        if each.release_digest == wish.release_digest
        and each.material == (wish.material.source if wish.material else "")
    )
    said.extend(wish.material.warnings if wish.material else ())
    if seen.lease is not None:
        said.append(f"{seen.lease.who} holds the host ({seen.lease.why or 'no reason given'})")
    return tuple(said)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
