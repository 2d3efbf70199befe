"""Going back: which instances can, which are ahead of the others, and what is done to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zsops.apply.target import Target
from zsops.build.wished import site_hosts
from zsops.errors import HostUnreachable, UsageError, ZsopsError
from zsops.facts.status import InstanceStatus
from zsops.host import messages as m

if TYPE_CHECKING:
    from zsops.fleet import Fleet

Key = tuple[str, str]


@dataclass(frozen=True)
class Wish:
    """As `Fleet.rollback` takes it."""

    to: str | None
    steps: int
    only: Mapping[Key, str | None] | None
    with_secrets: bool
    site: str | None

    @property
    def text(self) -> str:
        """Why, for the history, where nobody said."""
        if self.to is not None:
            return f"rollback to {self.to}"
        return "rollback" if self.steps == 1 else f"rollback by {self.steps}"


def returnable(fleet: Fleet, site: str | None) -> Mapping[Key, m.Observation]:
    """See `Fleet.returnable`."""
    found = fleet.status()
    lost = [(each.host, each.error) for each in found if each.error is not None]
    if len(lost) == len(found):
        raise all_unreachable(dict(lost))
    serving = {
        (at.name, name) for at, name, each in fleet.scope if site is None or site in each.site_names
    }
    seen = [e for e in found if e.error is None and (e.host, e.instance) in serving]
    if not seen:
        raise UsageError(f"no host of `{fleet.env}` that is reached serves site `{site}`")
    for each in seen:
        problem = each.problem(fleet.env)
        if each.state == "not deployed" and problem is not None:
            raise problem
    return {(each.host, each.instance): each.observation for each in seen}


def ahead(found: Sequence[InstanceStatus]) -> frozenset[tuple[str, str]]:
    """Instances on the release that came last, where others of the name are not."""
    ahead: set[tuple[str, str]] = set()
    for name in {each.instance for each in found}:
        mine = [
            (each, each.observation.current)
            for each in found
            if each.instance == name and each.observation.current is not None
        ]
        # The same site with another certificate is another release, too.
        digests = {
            (now.release_digest, now.material): now.created for _, now in mine if now is not None
        }
        for each, now in mine:
            newest = max(digests.values())
            is_last = now and digests[now.release_digest, now.material] == newest
            if len(digests) > 1 and is_last:
                ahead.add((each.host, name))
    return frozenset(ahead)


def targets(fleet: Fleet, wish: Wish) -> list[Target]:
    """What goes back, and how it is judged there."""
    found = []
    for machine, name, instance in fleet.scope:
        if wish.only is not None and (machine.name, name) not in wish.only:
            continue
        found.append(
            replace(
                # Without the configured checks: they describe today's site; yesterday's may lack
                # its pages, and a check that is too new must not keep anybody from going back.
                fleet.target(machine, name, instance),
                rollback_to=wish.to if wish.only is None else wish.only[machine.name, name],
                rollback_steps=wish.steps,
                with_secrets=wish.with_secrets,
                rollback_site=wish.site,
                site_hosts=site_hosts(instance),
            )
        )
    return found


def all_unreachable(errors: Mapping[str, ZsopsError]) -> ZsopsError:
    """One error that names every host with its own reason."""
    first = next(iter(errors.values()))
    if len(errors) == 1:
        return first
    lines = "".join(f"\n  {host}: {error.message}" for host, error in errors.items())
    return HostUnreachable(f"none of {len(errors)} hosts is reached:{lines}", hint=first.hint)
