"""The Python API: an environment of a project, and what can be done with it. The CLI is a client.

from zsops import Fleet
fleet = Fleet.load("zsops.yaml", env="local")
plan = fleet.plan()
for event in fleet.deploy(plan, reason="new prices"):
    ...
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from zsops.apply.probe import probe_from_here
from zsops.apply.run import Run
from zsops.apply.target import ExternalProbe, RunInfo, Target
from zsops.build.commit import commit_of
from zsops.build.site import BuiltSite, OnLine, build_site
from zsops.config.load import FILE_NAME, Project, load_project
from zsops.config.models import Instance
from zsops.config.values import LOCAL_HOST
from zsops.facts.observe import observe_instance
from zsops.facts.status import InstanceStatus, judge
from zsops.host import messages as m
from zsops.operator import operator_name
from zsops.plan.diff import content_checks, make_plan
from zsops.plan.model import Plan
from zsops.plan.rollback import rollback_target
from zsops.plan.settings import health_of, settings_of, url_of
from zsops.plan.stale import refuse_changed, refuse_expired, refuse_other_bytes
from zsops.plan.wish import Facts, WishedFile, WishedInstance
from zsops.process import identity
from zsops.report.run_id import new_run_id
from zsops.transport.base import Transport

#: Makes the way to the host of that name.
Connector = Callable[[str], Transport]


class Fleet:
    """One environment. Built sites lie in a temporary directory that goes with the object."""

    def __init__(
        self,
        project: Project,
        env: str | None = None,
        *,
        connect: Connector | None = None,
        probe: ExternalProbe = probe_from_here,
    ) -> None:
        self.project = project
        self.env, self.environment = project.environment(env)
        self._connect = connect or local_transport
        self._probe = probe
        self._built: dict[str, BuiltSite] = {}
        self._scratch = Path(tempfile.mkdtemp(prefix="zsops-build-"))
        weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)

    @classmethod
    def load(cls, file: str | Path = FILE_NAME, env: str | None = None) -> Fleet:
        """The environment `env` of `file`; without `env` the only declared one, else `local`.

        Raises ConfigError.
        """
        return cls(load_project(Path(file)), env)

    # -- looking ----------------------------------------------------------------------------------

    def plan(self, on_line: OnLine | None = None) -> Plan:
        """Build the sites, look at the hosts, and say what a deployment would change.

        Raises BuildError, HostUnreachable. Changes nothing.
        """
        wishes = [self._wish(host, name, each, on_line) for host, name, each in self._scope()]
        facts = self._facts()
        return make_plan(
            wishes,
            facts,
            project=self.project.config.project,
            environment=self.env,
            now=datetime.now(UTC),
        )

    def status(self) -> tuple[InstanceStatus, ...]:
        """What every instance serves. Raises HostUnreachable."""
        found = []
        for host, name, instance in self._scope():
            with self._connect(host).connect() as session:
                seen = session.observe(name)
            found.append(InstanceStatus(host, name, judge(seen), url_of(instance), seen))
        return tuple(found)

    def history(self, limit: int = 50) -> tuple[tuple[str, m.AuditEntry], ...]:
        """(host, audit entry) of every instance, oldest first. Raises HostUnreachable."""
        found: list[tuple[str, m.AuditEntry]] = []
        for host, name, _ in self._scope():
            with self._connect(host).connect() as session:
                if session.observe(name).installed:
                    found.extend((host, entry) for entry in session.history(name, limit))
        return tuple(sorted(found, key=lambda each: (each[1].at, each[1].seq))[-limit:])

    def rollback_preview(self, to: str | None = None) -> Mapping[tuple[str, str], m.ReleaseInfo]:
        """Whose site each instance would go back to. Raises NoSuchRelease, NotInstalled."""
        return {
            (each.host, each.instance): rollback_target(each.observation, to)
            for each in self._deployed()
        }

    # -- doing ------------------------------------------------------------------------------------

    def deploy(
        self,
        plan: Plan | None = None,
        *,
        reason: str = "",
        confirm_window: bool = True,
        retry_failed: bool = False,
    ) -> Run:
        """Do what `plan` says (or a plan made now). Iterate over the result; it does the work.

        A plan from elsewhere is checked first: raises StalePlan when it expired, a host changed,
        or the sites build to other bytes. Without `confirm_window` the host's own health check
        decides and nobody looks from outside.
        """
        if plan is None:
            plan = self.plan()
        else:
            refuse_expired(plan, datetime.now(UTC))
            if not self._has_built(plan):
                fresh = self.plan()
                refuse_other_bytes(plan, fresh)
                refuse_changed(plan, {(e.host, e.instance): e.observed for e in fresh.instances})
        targets = [
            self._target(each.host, each.instance, plan, probe=confirm_window, retry=retry_failed)
            for each in plan.instances
        ]
        return Run(targets, self._info(reason), owner=self)

    def rollback(self, to: str | None = None, *, reason: str = "") -> Run:
        """Bring an earlier site back as a new release. Raises NoSuchRelease, NotInstalled."""
        self.rollback_preview(to)
        defaults = self.project.config.defaults
        targets = []
        for host, name, instance in self._scope():
            targets.append(
                Target(
                    transport=self._connect(host),
                    instance=name,
                    settings=settings_of(instance),
                    # The configured checks describe today's site; yesterday's may lack its pages,
                    # and a check that is too new must not keep anybody from going back.
                    health=health_of(defaults, (), ()),
                    url=url_of(instance),
                    keep=defaults.keep,
                    confirm_window_s=defaults.confirm.window / 1000,
                    rollback_to=to,
                    probe=self._probe,
                )
            )
        return Run(
            targets, self._info(reason or f"rollback{f' to {to}' if to else ''}"), owner=self
        )

    def build(self, site: str, on_line: OnLine | None = None) -> BuiltSite:
        """The site, built and packed once per Fleet. Raises UnknownName, BuildError."""
        if site not in self._built:
            self._built[site] = build_site(self.project, site, self._scratch, on_line=on_line)
        return self._built[site]

    # -- gathering --------------------------------------------------------------------------------

    def _scope(self) -> Iterator[tuple[str, str, Instance]]:
        for host in self.environment.hosts:
            for name, instance in self.environment.instances.items():
                yield host, name, instance

    def _facts(self) -> dict[tuple[str, str], Facts]:
        facts = {}
        for host in self.environment.hosts:
            with self._connect(host).connect() as session:
                for name in self.environment.instances:
                    facts[host, name] = observe_instance(session, name)
        return facts

    def _deployed(self) -> tuple[InstanceStatus, ...]:
        found = self.status()
        for each in found:
            problem = each.problem(self.env)
            if each.state == "not deployed" and problem is not None:
                raise problem
        return found

    def _wish(
        self, host: str, name: str, instance: Instance, on_line: OnLine | None
    ) -> WishedInstance:
        built = self.build(instance.site_name, on_line)
        return WishedInstance(
            host=host,
            instance=name,
            site=built.site,
            settings=settings_of(instance),
            release_digest=built.release_digest,
            site_digest=built.site_digest,
            size=built.size,
            files=tuple(
                WishedFile(
                    path=each.path,
                    size=each.size,
                    sha256=each.sha256.hex(),
                    verbatim=not each.has_placeholder and not each.path.startswith(".zeroserve/"),
                )
                for each in built.members
            ),
            url=url_of(instance),
        )

    def _has_built(self, plan: Plan) -> bool:
        """Whether `plan` was made by this object: its sites are still at hand."""
        return all(
            each.site in self._built
            and self._built[each.site].release_digest == each.new_release_digest
            for each in plan.instances
        )

    def _target(self, host: str, name: str, plan: Plan, *, probe: bool, retry: bool) -> Target:
        instance = self.environment.instances[name]
        step = next(each for each in plan.instances if (each.host, each.instance) == (host, name))
        wish = self._wish(host, name, instance, None)
        site = self.project.site(instance.site_name)
        defaults = self.project.config.defaults
        return Target(
            transport=self._connect(host),
            instance=name,
            settings=wish.settings,
            health=health_of(defaults, site.checks, content_checks(step.changes, wish.files)),
            url=wish.url,
            keep=defaults.keep,
            confirm_window_s=defaults.confirm.window / 1000,
            plan=step,
            tar=self.build(instance.site_name).tar,
            probe=self._probe if probe else None,
            retry_quarantined=retry,
        )

    def _info(self, reason: str) -> RunInfo:
        own = identity(os.getpid())  # None where there is no /proc: the lease then ends by its time
        return RunInfo(
            id=new_run_id(),
            who=operator_name(),
            why=reason,
            commit=commit_of(self.project.directory),
            pid=own.pid if own else None,
            pid_started=own.started if own else None,
        )


def local_transport(host: str) -> Transport:
    """The way to this machine; the configuration has made sure that `host` names it."""
    from zsops.transport.local import LocalTransport

    assert host == LOCAL_HOST, host
    return LocalTransport()
