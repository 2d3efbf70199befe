"""Lineage: which place in an instance's history each release has, and where a rollback goes next.

Pure: both the host, which decides, and the operator's preview ask here. A history reads as a stack:
a deployment goes on top of it, a rollback takes off what it goes past. As releases are never taken
off, a rollback being one more of them, each has a *place*: the number of the release whose part it
plays, which is its own, or that of the one it went back to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zsops.frozen import frozen
from zsops.host.layout import release_number
from zsops.host.messages import ReleaseInfo


@frozen
class Made:
    """How a release came to be. `source`: whose whole site it carries, None for one that was sent.
    `left`: for a rollback of the whole site, what it left.
    """

    source: str | None
    left: str | None
    confirmed: bool


def place(made: Mapping[str, Made], release: str) -> int:
    """Its place; one that is pruned by now keeps its own."""
    return release_number(_carried(made, release)[-1])


def left_behind(made: Mapping[str, Made]) -> frozenset[str]:
    """Releases that confirmed rollbacks left or went past.

    A rollback *forward*, to what was left before, brings back what lies on its way.
    """
    left: set[str] = set()
    for name in sorted(made):
        each = made[name]
        if each.left is None or not each.confirmed:
            continue
        end, here, there = release_number(each.left), place(made, each.left), place(made, name)
        if there < here:
            left |= {other for other in made if there < release_number(other) <= end}
        else:
            left -= {other for other in made if here < release_number(other) <= there}
            left.update(_carried(made, each.left))
    return frozenset(left)


def earlier(releases: Iterable[ReleaseInfo], serving: ReleaseInfo | None) -> list[ReleaseInfo]:
    """Where one rollback after the other leads, each to another site than the one before."""
    found: list[ReleaseInfo] = []
    site = None if serving is None else serving.site_digest
    limit = None
    for each in sorted(releases, key=lambda one: one.number, reverse=True):
        passed = limit is not None and each.number >= limit
        if passed or not each.confirmed or each.rolled_back or each.site_digest == site:
            continue
        found.append(each)
        site, limit = each.site_digest, each.place
    return found


def _carried(made: Mapping[str, Made], release: str) -> list[str]:
    """It and the older ones whose site it has, down to the one that was sent."""
    found = [release]
    while (each := made.get(release)) is not None and each.source is not None:
        if each.source >= release:  # nothing that we wrote; do not walk in a circle
            break
        release = each.source
        found.append(release)
    return found
