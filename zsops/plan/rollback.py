"""Which release a rollback goes to. The host decides; this is the preview from its observation."""

from __future__ import annotations

from zsops.errors import NoSuchRelease
from zsops.host import messages as m


def rollback_target(seen: m.Observation, to: str | None) -> m.ReleaseInfo:
    """The release whose site a rollback brings back.

    Without `to`: the newest confirmed release whose site differs from the one in service and that
    was not itself rolled back from. Raises NoSuchRelease.
    """
    if to is not None:
        for each in seen.releases:
            if each.release == to:
                return each
        known = ", ".join(f"`{each.release}`" for each in seen.releases) or "none"
        raise NoSuchRelease(f"no release `{to}` of `{seen.instance}`", hint=f"kept: {known}")
    if seen.current is None:
        raise NoSuchRelease(f"instance `{seen.instance}` has no release in service")
    fitting = [
        each
        for each in seen.releases
        if each.confirmed
        and not each.rolled_back
        and each.number > 0
        and each.site_digest != seen.current.site_digest
    ]
    if not fitting:
        raise NoSuchRelease(
            f"instance `{seen.instance}` has no earlier confirmed release to go back to",
            hint="`zsops history` lists what was deployed",
        )
    return max(fitting, key=lambda each: each.number)


def release_before(seen: m.Observation) -> str:
    """The newest confirmed release older than the one in service, whatever it carries.

    Raises NoSuchRelease.
    """
    number = seen.current.number if seen.current is not None else 0
    older = [each for each in seen.releases if each.confirmed and 0 < each.number < number]
    if not older:
        raise NoSuchRelease(
            f"instance `{seen.instance}` has no earlier confirmed release to go back to",
            hint="`zsops history` lists what was deployed",
        )
    return max(older, key=lambda each: each.number).release


def site_rollback_target(seen: m.Observation, site: str, to: str | None) -> m.ReleaseInfo:
    """The release whose `site` comes back: the named one, else the newest confirmed one whose
    bytes of it are older than those in service. So again, it goes further back.

    Raises NoSuchRelease.
    """
    digests = {
        each: part.digest for each in seen.releases for part in each.sites if part.name == site
    }
    first: dict[str, int] = {}
    for each, digest in sorted(digests.items(), key=lambda pair: pair[0].number):
        first.setdefault(digest, each.number)
    now = next((part.digest for part in (seen.current or _NONE).sites if part.name == site), "")
    limit = first.get(now, 0)
    fitting = [
        each
        for each, digest in digests.items()
        if (each.release == to if to is not None else each.confirmed and first[digest] < limit)
        and digest != now
    ]
    if not fitting:
        where = "no earlier confirmed release" if to is None else f"no release `{to}`"
        raise NoSuchRelease(
            f"instance `{seen.instance}` has {where} with other bytes of site `{site}`",
            hint="`zsops history` lists what was deployed",
        )
    return max(fitting, key=lambda each: each.number)


_NONE = m.ReleaseInfo("", 0, "", "", 0, "", "")
