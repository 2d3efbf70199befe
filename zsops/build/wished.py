"""Built sites in the words of the planner."""

from __future__ import annotations

from collections.abc import Iterator

from zeroserve.pack.compose import root_of
from zeroserve.pack.script_paths import SCRIPTS_FOLDER
from zsops.build.site import BuiltSite
from zsops.config.models import Instance
from zsops.plan.wish import WishedFile


def hosts_of(instance: Instance) -> Iterator[tuple[str, str]]:
    """(site, the host name to ask for it) of every site; an empty name for an only one."""
    only = len(instance.site_names) == 1
    for site in instance.site_names:
        yield site, "" if only else (instance.sites or {})[site][0]


def site_hosts(instance: Instance) -> tuple[tuple[str, str], ...]:
    """(root in the tarball, the host name to ask for it) of several sites; none of an only one."""
    if len(instance.site_names) == 1:
        return ()
    return tuple((root_of(site), host) for site, host in hosts_of(instance))


def wished_files(built: BuiltSite, instance: Instance) -> tuple[WishedFile, ...]:
    """The files of what was built, and how each is asked for.

    Where a site has scripts, none of its files is sure to be sent as it is stored: a script may
    ask for a password first.
    """
    hosts = dict(hosts_of(instance))
    scripted = {
        part.root
        for part in built.sites
        if any(each.path.startswith(part.root + SCRIPTS_FOLDER) for each in built.members)
    }
    found = []
    for member in built.members:
        part = next((each for each in built.sites if member.path.startswith(each.root)), None)
        root = part.root if part is not None else ""
        private = part is None or member.path.removeprefix(root).startswith(".zeroserve/")
        found.append(
            WishedFile(
                path=member.path,
                size=member.size,
                sha256=member.sha256.hex(),
                verbatim=not (member.has_placeholder or private or root in scripted),
                host=hosts[part.name] if part is not None else "",
                root=root,
            )
        )
    return tuple(found)
