"""The Python API: an environment of a project, and what can be done with it. The CLI is a client.

from zsops import Fleet
fleet = Fleet.load("zsops.yaml", env="local")
plan = fleet.plan()
for event in fleet.deploy(plan, reason="new prices"):
    ...
"""

from __future__ import annotations

import os
import socket
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from zsops import way_back
from zsops.apply.probe import probe_from_here
from zsops.apply.run import Run
from zsops.apply.target import ExternalProbe, NewDaemon, RunInfo, Target
from zsops.build.builds import Builds
from zsops.build.commit import commit_of
from zsops.build.site import BuiltSite, OnLine
from zsops.config.hosts import Machine
from zsops.config.load import FILE_NAME, Project, UnknownName, load_project
from zsops.config.models import Instance
from zsops.config.problems import did_you_mean
from zsops.config.scope import chosen, machines_of, on_machine, placed
from zsops.config.strategy import BUILT_IN, Strategy
from zsops.errors import ClockSkew, HostUnreachable, StalePlan, UsageError
from zsops.facts.clock import SKEW_S_MAX, skew
from zsops.facts.observe import Indexes, observe_instance
from zsops.facts.status import InstanceStatus, judge
from zsops.host import messages as m
from zsops.material.wished import Materials
from zsops.notify.around import Around, told
from zsops.notify.hooks import run_hook
from zsops.operator import operator_name
from zsops.plan.diff import content_checks, make_plan
from zsops.plan.model import Plan, UnreachableHost
from zsops.plan.rollback import (
    release_before,
    rollback_target,
    site_rollback_target,
    targets_of,
)
from zsops.plan.settings import health_of, settings_of, url_of
from zsops.plan.stale import refuse_changed, refuse_expired, refuse_other_bytes
from zsops.plan.waves import Rollout
from zsops.plan.waves import rollout as spread
from zsops.plan.wish import Facts
from zsops.process import identity
from zsops.reach import Connector, Reach
from zsops.report.run_id import is_run_id, new_run_id
from zsops.transport.base import HostSession, Transport
from zsops.transport.kept import Continued, KeptSessions
from zsops.transport.limits import Limits
from zsops.way_back import all_unreachable
from zsops.wishes import Wishes, serving

T = TypeVar("T")

#: Hosts looked at or worked on at a time, whatever a strategy says.
CONCURRENCY = 32


class Fleet:
    """One environment. Built sites lie in a temporary directory that goes with the object."""

    def __init__(  # noqa: PLR0913 - the last four have defaults that only tests change
        self,
        project: Project,
        env: str | None = None,
        *,
        on: str | None = None,
        site: str | None = None,
        connect: Connector | None = None,
        probe: ExternalProbe = probe_from_here,
        concurrency: int = CONCURRENCY,
        limits: Limits | None = None,
        skew_s_max: float | None = SKEW_S_MAX,
    ) -> None:
        """`on`: a selector that narrows the environment's hosts; `site`: only instances that serve
        it, and of those with several sites this one alone. Raises ConfigError, UsageError.

        `skew_s_max`: a host whose clock is further from ours takes no part in a plan.
        """
        self.project = project
        self.env, self.environment = project.environment(env)
        self.site = site
        machines = chosen(machines_of(project.config, self.environment), on)
        self.scope = tuple(placed(machines, self.environment.instances))
        if site is not None:
            self.scope = serving(project, self.env, self.scope, site)
            there = {machine.name for machine, _, _ in self.scope}
            machines = tuple(each for each in machines if each.name in there)
        self.machines = machines
        self.warnings: list[str] = []
        self.reach = Reach(project.directory, limits=limits, warn=self.warnings.append)
        weakref.finalize(self, self.reach.close)
        self._kept = KeptSessions()
        weakref.finalize(self, self._kept.close)
        self._connect = connect or self.reach
        self._concurrency = concurrency
        self._skew_s_max = skew_s_max
        self._probe = probe
        self._planned = False
        self._indexes = Indexes()
        self._builds = Builds(project, partial(_learn, self._indexes), only=site)
        self.materials = Materials(project)
        self._wishes = Wishes(project, site, self._builds, self.materials)

    @classmethod
    def load(
        cls,
        file: str | Path = FILE_NAME,
        env: str | None = None,
        *,
        on: str | None = None,
        site: str | None = None,
    ) -> Fleet:
        """The environment `env` of `file`; without `env` the only declared one, else `local`.

        `on` narrows its hosts: `eu & !canary`; `site` its instances, see there. Raises ConfigError,
        UsageError.
        """
        return cls(load_project(Path(file)), env, on=on, site=site)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the environment is left out."""
        return self.site is None and self.machines == machines_of(
            self.project.config, self.environment
        )

    # -- looking ----------------------------------------------------------------------------------

    def plan(self, on_line: OnLine | None = None, *, keep_open: bool = False) -> Plan:
        """Build the sites, look at the hosts, and say what a deployment would change.

        Hosts out of reach are named in the plan. Raises BuildError, and HostUnreachable when no
        host at all is reached. Changes nothing. `keep_open`: connections to the hosts that change
        stay for the deployment that follows, which is cheaper.
        """
        self._before_plan(on_line)
        for _, name, instance in self.scope:
            self.built(name, instance, on_line)
        facts, unreachable = self._facts(keep_open=keep_open)
        wishes = []
        for machine, name, each in self.scope:
            at = machine.name, name
            if at in facts:
                wish = self._wishes.wish(machine, name, each)
                wish, facts[at] = self._wishes.beside(wish, each, facts[at])
                wishes.append(wish)
        plan = make_plan(
            wishes,
            facts,
            project=self.project.config.project,
            environment=self.env,
            now=datetime.now(UTC),
            unreachable=unreachable,
            site=self.site,
        )
        if keep_open:
            moving = {each.host for each in plan.instances if not each.is_no_op}
            for machine in self.machines:
                if machine.name not in moving:
                    self._kept.drop(machine.name)
        return plan

    def _before_plan(self, on_line: OnLine | None) -> None:
        """The hook, once: what is planned anew to be compared is no other plan."""
        if self._planned:
            return
        self._planned = True
        hook = self.project.config.hooks.pre_plan
        if hook is None:
            return
        facts = told(self, "plan", self.info(""))
        warning = run_hook("pre_plan", hook, self.project.directory, facts)
        if warning is not None and on_line is not None:
            on_line(warning)

    def status(self) -> tuple[InstanceStatus, ...]:
        """What every instance serves; hosts out of reach carry their error."""

        def look(machine: Machine) -> tuple[InstanceStatus, ...]:
            mine = [(name, each) for at, name, each in self.scope if at == machine]
            try:
                with self._connect(machine).connect() as session:
                    return tuple(
                        _status(machine, name, each, session.observe(name)) for name, each in mine
                    )
            except HostUnreachable as error:
                return tuple(_unseen(machine, name, each, error) for name, each in mine)

        return tuple(one for found in self.each(look) for one in found)

    def history(self, limit: int = 50) -> tuple[tuple[str, m.AuditEntry], ...]:
        """(host, audit entry) of every instance, oldest first. Raises HostUnreachable."""

        def read(machine: Machine) -> list[tuple[str, m.AuditEntry]]:
            found: list[tuple[str, m.AuditEntry]] = []
            with self._connect(machine).connect() as session:
                for at, name, _ in self.scope:
                    if at == machine and session.observe(name).installed:
                        found += [(at.name, each) for each in session.history(name, limit)]
            return found

        found = [entry for entries in self.each(read) for entry in entries]
        return tuple(sorted(found, key=lambda each: (each[1].at, each[1].seq))[-limit:])

    def each(self, work: Callable[[Machine], T]) -> list[T]:
        """`work` on every machine, many at a time; results in the machines' order.

        Raises what `work` raised first, after all have ended.
        """
        with ThreadPoolExecutor(min(self._concurrency, len(self.machines))) as pool:
            return list(pool.map(work, self.machines))

    def transport(self, machine: Machine) -> Transport:
        """The way to one machine."""
        return self._connect(machine)

    def connect(self, machine: Machine) -> HostSession:
        """A session with one machine. Raises HostUnreachable."""
        return self._connect(machine).connect()

    def rollback_preview(
        self, to: str | None = None, steps: int = 1
    ) -> Mapping[tuple[str, str], m.ReleaseInfo]:
        """Whose site each instance would go back to; hosts out of reach are left out.

        Raises NoSuchRelease that names every instance whose history is too short, NotInstalled,
        and HostUnreachable when no host is reached.
        """
        return targets_of(self.returnable(), lambda seen: rollback_target(seen, to, steps))

    def rollback_of_site(
        self, site: str, to: str | None = None, steps: int = 1
    ) -> Mapping[tuple[str, str], str]:
        """The release whose `site` each instance that serves it would go back to.

        Raises NoSuchRelease, UsageError when no instance serves it.
        """
        found = targets_of(
            self.returnable(site), lambda seen: site_rollback_target(seen, site, to, steps)
        )
        return {key: release.release for key, release in found.items()}

    def returnable(self, site: str | None = None) -> Mapping[tuple[str, str], m.Observation]:
        """What was seen of each instance that can be rolled back; `site`: those that serve it.

        Raises NotInstalled, UsageError when none serves the site, HostUnreachable.
        """
        return way_back.returnable(self, site)

    # -- doing ------------------------------------------------------------------------------------

    def deploy(
        self,
        plan: Plan | None = None,
        *,
        reason: str = "",
        confirm_window: bool = True,
        retry_failed: bool = False,
        strategy: Strategy | None = None,
        resume: str | None = None,
    ) -> Around:
        """Do what `plan` says (or a plan made now). Iterate over the result; it does the work,
        with the hooks of the file before and after it, and its notices at the end.

        A plan from elsewhere is checked first: raises StalePlan when it expired, a host changed,
        or the sites build to other bytes. Without `confirm_window` the host's own health check
        decides and nobody looks from outside. `strategy`: another one than the environment's.
        `resume`: the id of a run that was cut off; its leases and half-sent bytes are taken up.
        """
        if plan is None:
            plan = self.plan(keep_open=True)
        else:
            refuse_expired(plan, datetime.now(UTC))
            if not self._has_built(plan):
                fresh = self.plan(keep_open=True)
                refuse_other_bytes(plan, fresh)
                refuse_changed(plan, {(e.host, e.instance): e.observed for e in fresh.instances})
        targets = [
            self._target(each.host, each.instance, plan, probe=confirm_window, retry=retry_failed)
            for each in plan.instances
        ]
        run = Run(
            targets,
            self.info(reason, run=resume),
            rollout=self.rollout(strategy or self.strategy()),
            unreachable=plan.unreachable,
            owner=self,
            at_end=self._kept.close,
        )
        return Around(self, "deploy", run)

    def strategy(self, name: str | None = None) -> Strategy:
        """The strategy `name`, by default the environment's. Raises UnknownName."""
        wanted = name or self.environment.strategy or "rolling"
        known = {**BUILT_IN, **self.project.config.strategies}
        if wanted not in known:
            raise UnknownName(f"no strategy `{wanted}`", hint=did_you_mean(wanted, known))
        return known[wanted]

    def promotion(self, on_line: OnLine | None = None) -> Plan:
        """The plan that brings the release of the first wave to the rest.

        Raises UsageError when no wave waits, StalePlan when the sites build to other bytes now.
        """
        plan = self.plan(on_line, keep_open=True)
        settled = [each for each in plan.instances if not each.switches]
        if not way_back.ahead(self.status()):
            raise UsageError(
                f"every host of `{self.env}` serves the same: nothing waits for promotion"
            )
        if not settled:
            raise StalePlan(
                "the sites build to other bytes than what the first wave serves",
                hint="promote from the commit that was deployed, or `zsops abort`",
            )
        return plan

    def promote(self, plan: Plan | None = None, *, reason: str = "", percent: int = 100) -> Around:
        """Bring the release of the first wave to the rest; `plan`: that of `promotion`, when it
        was made already. `percent`: to so many of all hosts, and wait again. Raises as
        `promotion` and `deploy` do."""
        plan = self.promotion() if plan is None else plan
        strategy = self.strategy().model_copy(update={"promote": "auto"})
        if percent < 100:
            ahead = {each.host for each in plan.instances if not each.switches}
            count = max(1, -(-len(self.machines) * percent // 100))
            behind = [each.name for each in self.machines if each.name not in ahead]
            wave = [*sorted(ahead), *behind[: max(0, count - len(ahead))]]
            waits = {"waves": (" | ".join(wave),), "promote": "manual"}
            strategy = strategy.model_copy(update=waits)
        run = self.deploy(plan, reason=reason or "promoted", strategy=strategy)
        return run.called("promote")

    def abort(self, *, reason: str = "") -> Around:
        """Take the hosts that are ahead of the others back. Raises UsageError when none is.

        In whole: to the release each had before, with its secrets.
        """
        found = self.status()
        ahead = {
            (each.host, each.instance): release_before(each.observation)
            for each in found
            if (each.host, each.instance) in way_back.ahead(found)
        }
        if not ahead:
            raise UsageError(
                f"every host of `{self.env}` serves the same: there is nothing to undo"
            )
        run = self.rollback(reason=reason or "aborted", only=ahead, with_secrets=True)
        return run.called("abort")

    def rollback(
        self,
        to: str | None = None,
        *,
        steps: int = 1,
        reason: str = "",
        only: Mapping[tuple[str, str], str | None] | None = None,
        with_secrets: bool = False,
        site: str | None = None,
    ) -> Around:
        """Bring an earlier site back as a new release, with the secrets in service.

        Without `to`: `steps` confirmed releases back. `only` on these (host, instance), each to
        the release named there. `with_secrets`: with those of the earlier release. `site`: only
        this one of several goes back. Raises NoSuchRelease, NotInstalled, UnknownName.
        """
        if site is not None:
            self.project.site(site)
        if only is None and site is not None:
            only = self.rollback_of_site(site, to, steps)
        elif only is None:
            self.rollback_preview(to, steps)
        wish = way_back.Wish(to, steps, only, with_secrets, site)
        run = Run(
            way_back.targets(self, wish),
            self.info(reason or wish.text),
            # Whoever rolls back is in a hurry: no soak, and no host waits for a dead one.
            rollout=replace(
                self.rollout(Strategy(batch="50%")), unreachable_max=len(self.machines)
            ),
            owner=self,
        )
        return Around(self, "rollback", run)

    def build(self, site: str, on_line: OnLine | None = None) -> BuiltSite:
        """The site, built and packed once per Fleet. Raises UnknownName, BuildError."""
        return self._builds.site(site, on_line)

    def built(self, name: str, instance: Instance, on_line: OnLine | None = None) -> BuiltSite:
        """What the instance serves: its site, or its sites as one bundle. Raises BuildError."""
        return self._builds.instance(name, instance, on_line)

    # -- gathering --------------------------------------------------------------------------------

    def _facts(
        self, *, keep_open: bool
    ) -> tuple[dict[tuple[str, str], Facts], tuple[UnreachableHost, ...]]:
        def look(machine: Machine) -> dict[tuple[str, str], Facts] | HostUnreachable:
            try:
                way = self._connect(machine)
                with ExitStack() as closing:
                    session = closing.enter_context(way.connect())
                    asked, began = time.time(), time.monotonic()
                    found = {
                        (at.name, name): observe_instance(session, name, self._indexes)
                        for at, name, _ in self.scope
                        if at == machine
                    }
                    self._refuse_skew(found.values(), asked, time.monotonic() - began)
                    if keep_open and way.may_stay:
                        closing.pop_all()
                        self._kept.keep(machine.name, session)
                    return found
            except HostUnreachable as error:
                return error

        facts: dict[tuple[str, str], Facts] = {}
        errors: list[tuple[str, HostUnreachable]] = []
        for machine, found in zip(self.machines, self.each(look), strict=True):
            if isinstance(found, HostUnreachable):
                errors.append((machine.name, found))
            else:
                facts.update(found)
        if errors and not facts:
            raise all_unreachable(dict(errors))
        return facts, tuple(
            UnreachableHost(host=host, code=error.code, reason=error.message)
            for host, error in errors
        )

    def _refuse_skew(self, found: Iterable[Facts], asked: float, took_s: float) -> None:
        for each in found:
            ahead = skew(each.observation.wall, asked, took_s)
            if self._skew_s_max is not None and abs(ahead) > self._skew_s_max:
                raise ClockSkew(
                    f"its clock is {ahead:+.0f} s from ours",
                    hint="set the clocks; `zsops check --live` shows them all",
                )

    def rollout(self, strategy: Strategy) -> Rollout:
        """The strategy on the hosts in scope, within `--concurrency`."""
        made = spread(self.machines, strategy)
        waves = (replace(each, batch=min(each.batch, self._concurrency)) for each in made.waves)
        return replace(made, waves=tuple(waves))

    @property
    def external_probe(self) -> ExternalProbe | None:
        """The look from outside, unless the file wants none."""
        return self._probe if self.project.config.defaults.confirm.probe else None

    def dialer(self, machine: Machine) -> Callable[[str, int], socket.socket] | None:
        """A host behind jump hosts is asked from the last of them."""
        return None if machine.address is None else self.reach.dialer(machine)

    def target(self, machine: Machine, name: str, instance: Instance) -> Target:
        """One instance as it is reached and judged whatever is done to it: what is served on it by
        its listeners and certificates, not by the checks that the file has for a new site.
        """
        defaults = self.project.config.defaults
        return Target(
            transport=self.transport(machine),
            instance=name,
            settings=settings_of(instance),
            health=health_of(defaults, (), ()),
            url=url_of(instance, machine.address),
            keep=defaults.keep,
            confirm_window_s=defaults.confirm.window / 1000,
            probe=self.external_probe,
            dial=self.dialer(machine),
            reach=machine.address,
            authorities=self.materials.authorities(instance),
        )

    def _machine(self, name: str) -> Machine:
        return next(each for each in self.machines if each.name == name)

    def _has_built(self, plan: Plan) -> bool:
        """Whether `plan` was made by this object: its sites are still at hand."""
        return all(
            self._builds.has(each.instance, each.new_release_digest)
            and self._wishes.source(self.environment.instances[each.instance])
            == each.secrets.source
            for each in plan.instances
        )

    def _target(self, host: str, name: str, plan: Plan, *, probe: bool, retry: bool) -> Target:
        machine = self._machine(host)
        instance = on_machine(self.environment.instances[name], machine)
        step = next(each for each in plan.instances if (each.host, each.instance) == (host, name))
        built = self.built(name, instance)
        is_alone = self._wishes.is_alone(instance)
        content = content_checks(step.changes, self._wishes.wish(machine, name, instance).files)
        checks = self._wishes.checks(instance)
        return replace(
            self.target(machine, name, instance),
            transport=Continued(self._connect(machine), self._kept),
            health=health_of(self.project.config.defaults, checks, content),
            plan=step,
            tar=built.tar,
            extents=built.extents,
            sites=() if is_alone else built.sites,
            only_site=self.site if is_alone else None,
            probe=self.external_probe if probe else None,
            fresh_confirm=probe,
            retry_quarantined=retry,
            seal=self._wishes.material(instance),
            recipient=machine.recipient,
            daemon=self.new_daemon(step.old_version) if step.new_version else None,
        )

    @property
    def wished_daemon(self) -> NewDaemon | None:
        """The daemon's version that the file names. Raises BuildError for a wheel of another."""
        return self._wishes.daemon

    def new_daemon(self, old: str | None) -> NewDaemon | None:
        """The file's version, for a host whose daemon is `old`."""
        wished = self.wished_daemon
        return None if wished is None else replace(wished, old=old)

    def info(self, reason: str, *, run: str | None = None) -> RunInfo:
        """Who does this, and why; a new run, or `run` taken up again. Raises UsageError."""
        if run is not None and not is_run_id(run):
            raise UsageError(f"`{run}` is no run", hint="`zsops lock ls --json` names it")
        own = identity(os.getpid())  # None where there is no /proc: the lease then ends by its time
        return RunInfo(
            id=run or new_run_id(),
            who=operator_name(),
            why=reason,
            commit=commit_of(self.project.directory),
            pid=own.pid if own else None,
            pid_started=own.started if own else None,
        )


def _learn(indexes: Indexes, made: BuiltSite) -> None:
    members = (m.HostedMember(e.path, e.size, e.sha256.hex()) for e in made.members)
    indexes.learn(made.release_digest, tuple(members))


def _status(machine: Machine, name: str, instance: Instance, seen: m.Observation) -> InstanceStatus:
    url = url_of(instance, machine.address)
    return InstanceStatus(machine.name, name, judge(seen), url, seen)


def _unseen(
    machine: Machine, name: str, instance: Instance, error: HostUnreachable
) -> InstanceStatus:
    nothing = m.Observation(name, installed=False)
    url = url_of(instance, machine.address)
    return InstanceStatus(machine.name, name, "unreachable", url, nothing, error)
