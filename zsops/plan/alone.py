"""One of several sites is deployed alone: the others stay as the host has them. Pure.

The host puts the new site beside the others itself, so nothing of theirs need be here. Settings,
certificates and the daemon's version are shared by all of them, and stay as well.
"""

from __future__ import annotations

from dataclasses import replace

from zeroserve.pack.compose import root_of
from zsops.errors import UsageError
from zsops.host import messages as m
from zsops.plan.model import SecretsPlan, SitePlan
from zsops.plan.wish import Facts, WishedInstance

_HINT = "leave out `--site`: then all of its sites are deployed together"


def only(wish: WishedInstance, site: str) -> WishedInstance:
    """The wish for a tar that holds `site` alone, with its files where they will lie."""
    root = root_of(site)
    return replace(
        wish,
        files=tuple(replace(each, path=root + each.path, root=root) for each in wish.files),
        sites=(m.SitePart(site, root, wish.site_digest),),
        only_site=site,
        material=None,
        daemon_version=None,
    )


def narrowed(facts: Facts, site: str) -> Facts:
    """The facts, with the files of this site only."""
    root = root_of(site)
    return replace(facts, members=tuple(e for e in facts.members if e.path.startswith(root)))


def refuse(wish: WishedInstance, seen: m.Observation) -> None:
    """Raise UsageError where the site cannot be changed without the others."""
    where = f"`{wish.instance}` on `{wish.host}`"
    current = seen.current
    if not seen.installed or current is None or current.number == 0:
        raise UsageError(
            f"nothing is deployed to {where} yet, so no site can come alone", hint=_HINT
        )
    if len(current.sites) < 2 or _part(current, wish.site) is None:
        raise UsageError(f"{where} does not serve site `{wish.site}` beside others yet", hint=_HINT)
    if seen.settings != wish.settings:
        raise UsageError(
            f"addresses or host names of {where} would change: that concerns all of its sites",
            hint=_HINT,
        )


def refuse_loss(wish: WishedInstance, seen: m.Observation) -> None:
    """Raise UsageError where an instance that has this only site now serves others, too."""
    others = [e.name for e in (seen.current.sites if seen.current else ()) if e.name != wish.site]
    if others:
        listed = ", ".join(f"`{each}`" for each in others)
        raise UsageError(
            f"`{wish.instance}` on `{wish.host}` serves {listed} as well, which the file no longer "
            "gives it: they would go",
            hint="leave out `--site` if they should",
        )


def is_settled(wish: WishedInstance, seen: m.Observation) -> bool:
    """Whether these bytes of the site are in service and confirmed."""
    current = seen.current
    if current is None or seen.last_good != current.release:
        return False
    part = _part(current, wish.site)
    return part is not None and part.digest == wish.site_digest


def old_digest(wish: WishedInstance, deployed: m.ReleaseInfo | None) -> str | None:
    """That of the site in service."""
    part = None if deployed is None else _part(deployed, wish.site)
    return None if part is None else part.digest


def sites(
    wish: WishedInstance, deployed: m.ReleaseInfo | None, changed: int
) -> tuple[SitePlan, ...]:
    """The site, and the others, which stay."""
    return tuple(
        SitePlan(
            site=each.name,
            old_digest=each.digest,
            new_digest=wish.site_digest if each.name == wish.only_site else each.digest,
            changed=changed if each.name == wish.only_site else 0,
        )
        for each in sorted(deployed.sites if deployed else (), key=lambda part: part.name)
    )


def secrets() -> SecretsPlan:
    """Those in service stay, whatever the file names."""
    return SecretsPlan(name=None, source="", changes=False)


def _part(release: m.ReleaseInfo, site: str) -> m.SitePart | None:
    return next((each for each in release.sites if each.name == site), None)
