"""Which release a rollback goes to. The host decides; this is the preview from its observation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from zsops.errors import NoSuchRelease
from zsops.host import messages as m
from zsops.host.lineage import earlier


def rollback_target(seen: m.Observation, to: str | None, steps: int = 1) -> m.ReleaseInfo:
    """The release whose site a rollback brings back.

    Without `to`: the newest confirmed release whose site differs from the one in service and that
    no rollback has left or gone past; with `steps` as many of them back. Raises NoSuchRelease.
    """
    if to is not None:
        for each in seen.releases:
            if each.release == to:
                return each
        known = ", ".join(f"`{each.release}`" for each in seen.releases) or "none"
        raise NoSuchRelease(f"no release `{to}` of `{seen.instance}`", hint=f"kept: {known}")
    if seen.current is None:
        raise NoSuchRelease(f"instance `{seen.instance}` has no release in service")
    found = earlier(seen.releases, seen.current)
    if len(found) < steps:
        raise _too_short(seen.instance, "with another site", len(found), steps)
    return found[steps - 1]


def targets_of(
    seen: Mapping[tuple[str, str], m.Observation],
    target: Callable[[m.Observation], m.ReleaseInfo],
) -> dict[tuple[str, str], m.ReleaseInfo]:
    """The target of each (host, instance). Raises one NoSuchRelease that names all without one:
    some hosts back and others not is what nobody asked for."""
    found: dict[tuple[str, str], m.ReleaseInfo] = {}
    lacking: list[tuple[str, NoSuchRelease]] = []
    for (host, instance), each in seen.items():
        try:
            found[host, instance] = target(each)
        except NoSuchRelease as error:
            lacking.append((host, error))
    if not lacking:
        return found
    _, first = lacking[0]
    if len(seen) == 1:
        raise first
    lines = "".join(f"\n  {host}: {error.message}" for host, error in lacking)
    raise NoSuchRelease(
        f"{len(lacking)} of {len(seen)} instances cannot go back; nothing was touched:{lines}",
        hint=f"{first.hint}; `--on` leaves hosts out",
    )


def release_before(seen: m.Observation) -> str:
    """The newest confirmed release older than the one in service, whatever it carries.

    Raises NoSuchRelease.
    """
    number = seen.current.number if seen.current is not None else 0
    older = [each for each in seen.releases if each.confirmed and 0 < each.number < number]
    if not older:
        raise _too_short(seen.instance, "at all", 0, 1)
    return max(older, key=lambda each: each.number).release


def site_rollback_target(
    seen: m.Observation, site: str, to: str | None, steps: int = 1
) -> m.ReleaseInfo:
    """The release whose `site` comes back: the named one, else the newest confirmed one whose
    bytes of it are older than those in service. So again, it goes further back.

    Raises NoSuchRelease.
    """
    digests = _digests_of(seen, site)
    first: dict[str, int] = {}
    for each, digest in sorted(digests.items(), key=lambda pair: pair[0].number):
        first.setdefault(digest, each.number)
    now = _digest_now(seen, site)
    limit = first.get(now, 0)
    if to is not None:
        for each, digest in digests.items():
            if each.release == to and digest != now:
                return each
        raise NoSuchRelease(
            f"instance `{seen.instance}` has no release `{to}` with other bytes of site `{site}`",
            hint=_HINT,
        )
    older = {
        each: digest for each, digest in digests.items() if each.confirmed and first[digest] < limit
    }
    found = _back(older, now)
    if len(found) < steps:
        raise _too_short(seen.instance, f"with other bytes of site `{site}`", len(found), steps)
    return found[steps - 1]


def choices(seen: m.Observation, site: str | None = None) -> list[m.ReleaseInfo]:
    """Every release that could come back, newest first, each site's bytes once: what a person
    picks from. One that was rolled back from is among them, since a person may know better."""
    whole = {each: each.site_digest for each in seen.releases}
    digests = whole if site is None else _digests_of(seen, site)
    now = _digest_now(seen, site)
    found: dict[str, m.ReleaseInfo] = {}
    for each in sorted(digests, key=lambda one: one.number, reverse=True):
        if each.confirmed and each.number > 0 and digests[each] != now:
            found.setdefault(digests[each], each)
    return list(found.values())


def digest_of(release: m.ReleaseInfo, site: str | None) -> str:
    """What tells two choices apart: the site's digest, or that of one of several sites."""
    if site is None:
        return release.site_digest
    return next((part.digest for part in release.sites if part.name == site), "")


def _digests_of(seen: m.Observation, site: str) -> dict[m.ReleaseInfo, str]:
    return {each: part.digest for each in seen.releases for part in each.sites if part.name == site}


def _digest_now(seen: m.Observation, site: str | None) -> str:
    return "" if seen.current is None else digest_of(seen.current, site)


def _back(digests: Mapping[m.ReleaseInfo, str], now: str) -> list[m.ReleaseInfo]:
    """Where one rollback after the other would end, newest first: each differs from the one that
    would be in service then."""
    found: list[m.ReleaseInfo] = []
    for each in _newest_first(digests):
        if each.number > 0 and digests[each] != now:
            found.append(each)
            now = digests[each]
    return found


def _newest_first(releases: Iterable[m.ReleaseInfo]) -> list[m.ReleaseInfo]:
    return sorted(releases, key=lambda each: each.number, reverse=True)


_HINT = "`zsops history` lists what was deployed"


def _too_short(instance: str, which: str, have: int, wanted: int) -> NoSuchRelease:
    """The history does not go back far enough."""
    if have == 0:
        text = f"instance `{instance}` has no earlier confirmed release {which} to go back to"
    else:
        text = f"instance `{instance}` can go back {have} releases {which}, not {wanted}"
    return NoSuchRelease(text, hint=_HINT)
