"""A site as `zeroserve.dev` wants it: a function that builds it, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zeroserve.dev.session import NotBuilt
from zsops.build.site import built_tree, write_tar
from zsops.config.load import load_project
from zsops.dev.sources import Sources, sources_of
from zsops.errors import ConfigError, ZsopsError


@dataclass
class DevSite:
    """The site `name` of the project in `file`, which is read anew for every build."""

    file: Path
    name: str
    on_line: Callable[[str], None]
    _sources: Sources | None = field(default=None, init=False)

    def build(self, tar: Path, suffix: bytes) -> Sequence[str]:
        """Build as `zsops build` does, into `tar`; the warnings. Raises NotBuilt."""
        try:
            project = load_project(self.file)
            tree = built_tree(project, self.name, on_line=self.on_line)
            made = write_tar(self.name, project.site(self.name), tree, tar, page_suffix=suffix)
        except ZsopsError as error:
            raise NotBuilt(error.render()) from error
        return made.warnings

    def watched(self) -> Sources:
        """What to watch now; as before while the file is wrong. Raises ConfigError at first."""
        try:
            project = load_project(self.file)
            self._sources = sources_of(project.file, project.site(self.name))
        except ConfigError:
            if self._sources is None:
                raise
        return self._sources
