"""What a changed file means to visitors: a URL that disappears, another script. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zeroserve.pack.script_paths import SCRIPTS_FOLDER
from zsops.host.messages import SitePart
from zsops.plan.links import Address, PageLinks, gone, links_to, placed
from zsops.plan.model import FileChange, GoneUrl
from zsops.plan.wish import Facts, WishedInstance


def gone_files(wish: WishedInstance, facts: Facts) -> Mapping[str, tuple[Address, Address]]:
    """Files in service whose URL the new release lacks: path to (file, address)."""
    old = _placed((each.path for each in facts.members), _sites_in_service(wish, facts))
    new = _placed((each.path for each in wish.files), _wished_sites(wish))
    lost = gone(old.values(), new.values())
    return {path: (file, lost[file]) for path, file in old.items() if file in lost}


def noted(
    changes: Sequence[FileChange], wish: WishedInstance, facts: Facts
) -> tuple[FileChange, ...]:
    """The changes, with what they mean."""
    lost = gone_files(wish, facts)
    sites = (*_wished_sites(wish), *_sites_in_service(wish, facts))
    return tuple(
        each.model_copy(
            update={
                "script": placed(each.path, sites)[1].startswith(SCRIPTS_FOLDER),
                "gone": _gone(*lost[each.path], wish.links) if each.path in lost else None,
            }
        )
        for each in changes
    )


def _gone(file: Address, address: Address, links: PageLinks | None) -> GoneUrl | None:
    if links is None:
        return GoneUrl(url=f"/{address[1]}", links=None)
    if links.leads_on(address):
        return None
    return GoneUrl(url=f"/{address[1]}", links=links_to(file, links))


def _wished_sites(wish: WishedInstance) -> tuple[SitePart, ...]:
    return wish.sites or (SitePart(wish.site, "", ""),)


def _sites_in_service(wish: WishedInstance, facts: Facts) -> tuple[SitePart, ...]:
    """Those of the release in service. An only site stays the same under another name."""
    current = facts.observation.current
    found = current.sites if current is not None else ()
    wished = _wished_sites(wish)
    if not found or len(found) == len(wished) == 1:
        return wished
    return found


def _placed(paths: Iterable[str], sites: Sequence[SitePart]) -> dict[str, Address]:
    return {path: placed(path, sites) for path in paths}
