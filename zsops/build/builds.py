"""What was built of a project, each site and each bundle once."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

from zsops.build.bundle import bundle
from zsops.build.pages import page_links
from zsops.build.site import BuiltSite, OnLine, build_site
from zsops.config.load import Project
from zsops.config.models import Instance
from zsops.plan.links import PageLinks


class Builds:
    """Tarballs lie in a temporary directory that goes with the object."""

    def __init__(
        self, project: Project, built: Callable[[BuiltSite], None], *, only: str | None = None
    ) -> None:
        """`built` is told of what instances serve, each once. `only`: of several sites only this
        one is built."""
        self._project = project
        self._only = only
        self._told = built
        self._sites: dict[str, BuiltSite] = {}
        self._instances: dict[str, BuiltSite] = {}
        self._links: dict[str, PageLinks] = {}
        self._scratch = Path(tempfile.mkdtemp(prefix="zsops-build-"))
        weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)

    def site(self, name: str, on_line: OnLine | None = None) -> BuiltSite:
        """A site. Raises UnknownName, BuildError."""
        if name not in self._sites:
            self._sites[name] = build_site(self._project, name, self._scratch, on_line=on_line)
        return self._sites[name]

    def instance(self, name: str, instance: Instance, on_line: OnLine | None = None) -> BuiltSite:
        """What is sent to the instance: its site, or its sites as one bundle. Raises BuildError."""
        if name not in self._instances:
            names = instance.site_names if self._only is None else (self._only,)
            sites = [self.site(each, on_line) for each in names]
            alone = len(sites) == 1
            made = sites[0] if alone else bundle(name, sites, instance.sites or {}, self._scratch)
            self._instances[name] = made
            self._told(made)
        return self._instances[name]

    def has(self, name: str, release_digest: str) -> bool:
        """Whether the instance was built, to these bytes."""
        found = self._instances.get(name)
        return found is not None and found.release_digest == release_digest

    def links(self, name: str, instance: Instance) -> PageLinks:
        """Those of the instance's pages. Raises BuildError."""
        if name not in self._links:
            self._links[name] = page_links(self.instance(name, instance), instance.host_sites)
        return self._links[name]
