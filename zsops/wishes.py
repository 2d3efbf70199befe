"""What the instances of an environment should be: built, with certificates, for the planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from zsops.apply.target import NewDaemon
from zsops.build.builds import Builds
from zsops.build.wheel import read_wheel
from zsops.build.wished import hosts_of, wished_files
from zsops.config.hosts import Machine
from zsops.config.load import Project
from zsops.config.models import Check, Instance
from zsops.errors import BuildError, UsageError
from zsops.material.wished import Materials, MaterialSet
from zsops.plan import alone
from zsops.plan.notes import gone_files
from zsops.plan.settings import settings_of, url_of
from zsops.plan.wish import Facts, WishedInstance


@dataclass
class Wishes:
    """`site`: of instances with several sites only this one is meant; None: all of them."""

    project: Project
    site: str | None
    builds: Builds
    materials: Materials

    def is_alone(self, instance: Instance) -> bool:
        """Whether only one of its several sites is meant."""
        return self.site is not None and len(instance.site_names) > 1

    def wish(self, machine: Machine, name: str, instance: Instance) -> WishedInstance:
        """One instance. Raises BuildError, MaterialError."""
        built = self.builds.instance(name, instance)
        is_alone = self.is_alone(instance)
        wish = WishedInstance(
            host=machine.name,
            instance=name,
            site=built.site,
            settings=settings_of(instance),
            release_digest=built.release_digest,
            site_digest=built.site_digest,
            size=built.size,
            files=wished_files(built, instance),
            sites=built.sites,
            url=url_of(instance, machine.address),
            material=None if is_alone else self.materials.wish(instance),
            daemon_version=self.daemon.version if self.daemon else None,
        )
        return alone.only(wish, built.site) if is_alone else wish

    def beside(
        self, wish: WishedInstance, instance: Instance, facts: Facts
    ) -> tuple[WishedInstance, Facts]:
        """Both as the planner takes them, once the host was seen: with the links of the new pages
        where an address goes, and without files that are none of this wish's business.

        Raises UsageError where the one site cannot come alone.
        """
        if self.is_alone(instance):
            alone.refuse(wish, facts.observation)
            facts = alone.narrowed(facts, wish.site)
        elif self.site is not None:
            alone.refuse_loss(wish, facts.observation)
        lost = gone_files(wish, facts)
        links = self.builds.links(wish.instance, instance) if lost else None
        return replace(wish, links=links), facts

    def checks(self, instance: Instance) -> Sequence[tuple[str, Check]]:
        """What must be answered as said, with the host to ask for it."""
        return [
            (host, check)
            for site, host in hosts_of(instance)
            if not self.is_alone(instance) or site == self.site
            for check in self.project.site(site).checks
        ]

    def material(self, instance: Instance) -> MaterialSet | None:
        """Certificate and keys that are sent."""
        return None if self.is_alone(instance) else self.materials.of(instance)

    def source(self, instance: Instance) -> str:
        """Digest over their files; empty when none are sent."""
        found = self.material(instance)
        return found.source if found else ""

    @cached_property
    def daemon(self) -> NewDaemon | None:
        """The daemon's version that the file names. Raises BuildError for a wheel of another."""
        wish = self.project.config.daemon
        if wish is None:
            return None
        wheel = read_wheel(self.project.directory / wish.wheel) if wish.wheel else None
        if wheel is not None and wheel.version != wish.version:
            raise BuildError(
                f"`{wish.wheel}` is version {wheel.version}, `daemon` names {wish.version}"
            )
        return NewDaemon(
            version=wish.version,
            drain_s=wish.drain / 1000,
            wheel=wheel.path if wheel else None,
            digest=wheel.digest if wheel else "",
            size=wheel.size if wheel else 0,
        )


def serving(
    project: Project,
    environment: str,
    scope: Sequence[tuple[Machine, str, Instance]],
    site: str,
) -> tuple[tuple[Machine, str, Instance], ...]:
    """What `--site SITE` leaves: the instances that serve it. Raises UnknownName, UsageError."""
    project.site(site)
    left = tuple(each for each in scope if site in each[2].site_names)
    if not left:
        raise UsageError(f"no instance of `{environment}` that is meant serves site `{site}`")
    return left
