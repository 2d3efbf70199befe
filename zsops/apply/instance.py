"""One instance, from lease to confirmation. What it reports is what the host says in the end.

Runs in a thread of its own and looks at `abort` between events, so that an interruption never
tears a message to the host in two. Whatever is unconfirmed then is reverted; if even that cannot
be said to the host, its own deadline does it.
"""

# ruff: noqa: N818 - what ends a run is named for what happened, as in `zsops.errors`.

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from zsops.apply.link import Link
from zsops.apply.outcome import EXIT_OF_OUTCOME, InstanceResult, error_info
from zsops.apply.probe import ProbeFailed
from zsops.apply.target import NewDaemon, RunInfo, Target
from zsops.apply.tell import Teller
from zsops.apply.upgrade import DaemonUpgrade
from zsops.errors import (
    DaemonFailed,
    ExitCode,
    HostHeld,
    HostUnreachable,
    LeaseHeld,
    LinkLost,
    OutcomeUnknown,
    SelfReverted,
    StalePlan,
    StaleToken,
    UnsafeHost,
    ZsopsError,
)
from zsops.host import messages as m
from zsops.plan.settings import with_the_hosts_own
from zsops.report.events import ErrorInfo, Event, Outcome
from zsops.transport.base import HostSession

#: A lease outlives the longest silence of a healthy run; the confirm window is added to it.
_LEASE_TTL_S = 60.0
_PAUSE_LOOK_S = 2.0


class Aborted(Exception):
    """The operator asked to stop."""


class _Ended(Exception):
    """The host reached an end of its own; carries the outcome."""

    def __init__(self, outcome: Outcome, error: ErrorInfo | None) -> None:
        super().__init__(outcome)
        self.outcome: Outcome = outcome
        self.error = error


class InstanceRun:
    """Drives one target. `execute` never raises for the world's faults: see `InstanceResult`."""

    def __init__(
        self,
        target: Target,
        run: RunInfo,
        *,
        emit: Callable[[Event], None],
        abort: threading.Event,
        may_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        """`may_wait`: whether a host that is paused is waited for instead of refused."""
        self._target = target
        self._run = run
        self._abort = abort
        self._may_wait = may_wait
        self._tell = Teller(emit, run=run.id, host=target.host, instance=target.instance)
        self._link = Link(target.transport, self._tell)
        self._token: int | None = None
        self._touched = False  # the service may have been moved
        self._upgraded: str | None = None  # the version that took over
        self._sent = 0
        self._old_settings: m.InstanceSettings | None = None  # once ours are written
        self._stopped = False  # we stopped the daemon, so we owe it a start

    def execute(self) -> InstanceResult:
        """Do all of it; close everything; say how it ended."""
        outcome: Outcome
        error: ErrorInfo | None = None
        code: ExitCode | None = None
        release: str | None = None
        try:
            outcome, release = self._deploy()
        except Aborted:
            outcome, error = self._end_unconfirmed("interrupted by the operator")
            outcome = "interrupted" if outcome in ("reverted", "not_started") else outcome
        except ProbeFailed as failed:
            outcome, _ = self._end_unconfirmed(failed.message)
            error = error_info(failed)
        except _Ended as ended:
            outcome, error = ended.outcome, ended.error
        except ZsopsError as failed:
            outcome, code = self._judge(failed)
            error = error_info(self._unknown(failed) if outcome == "unknown" else failed)
        finally:
            self._let_go()
        if outcome not in ("committed", "unchanged", "unknown"):
            self._restore()
        serving = self._serving()
        self._link.close()
        return InstanceResult(
            host=self._target.host,
            instance=self._target.instance,
            outcome=outcome,
            release=release,
            serving=serving,
            sent=self._sent,
            error=error,
            exit_code=EXIT_OF_OUTCOME[outcome] if code is None else code,
        )

    # -- the walk ---------------------------------------------------------------------------------

    def _deploy(self) -> tuple[Outcome, str | None]:
        self._stop_if_aborted()
        plan = self._target.plan
        if plan is not None and plan.is_no_op:
            return "unchanged", plan.old_release
        if self._target.settled is not None:
            return "unchanged", self._target.settled
        restart = self._install()
        self._take_lease()
        self._look_again()
        if self._target.daemon is not None:
            if restart:
                self._stop_daemon()
                restart = False
            serving = self._upgrade(self._target.daemon)
            if self._target.only_daemon:
                return "committed", serving
        if plan is not None and not plan.switches:
            release = self._only_daemon(restart=restart or plan.daemon == "restart")
            return "committed", release
        release = self._stage()
        self._stop_if_aborted()
        if restart:
            self._stop_daemon()
        self._apply(release)
        self._confirm(release)
        self._prune()
        return "committed", release

    def _install(self) -> bool:
        """Make the instance or bring its settings up to date; True if the daemon must restart."""
        settings, plan = self._target.settings, self._target.plan
        if settings is None or plan is None or not plan.settings_changed:
            return False
        with self._tell.step("install") as done:
            seen = self._link.ask(lambda session: session.observe(self._target.instance))
            self._old_settings = seen.settings
            wished = with_the_hosts_own(settings, seen.settings)
            request = m.Install(instance=self._target.instance, settings=wished)
            installed = self._link.ask(lambda session: session.install(request))
            done.detail = "settings written" if plan.old_release else "instance made"
        return installed.restart_needed

    def _take_lease(self) -> None:
        new = self._target.daemon
        request = m.TakeLease(
            who=self._run.who,
            why=self._run.why,
            ttl_s=_LEASE_TTL_S + self._target.confirm_window_s + (new.drain_s if new else 0.0),
            run=self._run.id,
            # A host elsewhere cannot see our process: there the lease ends by its time alone.
            pid=self._run.pid if self._target.reach is None else None,
            pid_started=self._run.pid_started if self._target.reach is None else None,
            despite_hold=self._target.plan is None and not self._target.only_daemon,
        )
        with self._tell.step("lease") as done:
            self._token = self._lease(request).token
            done.detail = ""

    def _lease(self, request: m.TakeLease) -> m.Lease:
        """A host that was paused while the run is under way is waited for: others have begun."""
        told = False
        while True:
            try:
                return self._link.ask(lambda session: session.take_lease(request))
            except HostHeld as paused:
                if not self._may_wait():
                    raise
                if not told:
                    self._tell.note(f"{paused.message}; waiting for `zsops resume`", "warning")
                    told = True
            self._link.close()
            self._abort.wait(_PAUSE_LOOK_S)
            self._stop_if_aborted()

    def _look_again(self) -> None:
        """Under the lease nothing moves any more: is it still what was planned for?"""
        plan, instance = self._target.plan, self._target.instance
        seen = self._link.ask(lambda session: session.observe(instance))
        # An install of ours moves the state as well; then there was nothing to be stale about.
        bound = plan is not None and plan.observed and not plan.settings_changed
        if plan is not None and bound and seen.state_digest != plan.observed:
            raise StalePlan(
                f"instance `{instance}` on `{self._target.host}` changed since it was planned",
                hint="run the command again",
            )
        if seen.phase.in_flight:
            self._tell.note("undoing a deployment that was left unconfirmed", "warning")
            self._end(self._revert("left unconfirmed by an earlier run"), expect="reverted")

    def _upgrade(self, new: NewDaemon) -> str | None:
        assert self._token is not None
        work = DaemonUpgrade(self._target, new, self._run, self._link, self._tell, self._token)
        self._sent += work.send()
        self._stop_if_aborted()
        self._end(self._swap(work, new.version), expect="committed")
        self._upgraded = new.version
        try:
            work.look()
        except ProbeFailed as failed:
            if work.old is not None:
                self._end(self._swap(work, work.old), expect="committed")
            raise _Ended("reverted", error_info(failed)) from failed
        work.see_off(self._abort)
        return work.serving

    def _swap(self, work: DaemonUpgrade, version: str) -> m.StepEvent:
        # The site stays: its own plain files are what can be compared.
        health = replace(self._health_of_served(), checks=())
        request = work.request(version, health)
        return self._link.insist(
            lambda session: self._relay(session.upgrade(request), deaf=True), self._abort
        )

    def _only_daemon(self, *, restart: bool) -> str | None:
        """The right release is in service; only its daemon has to be started or restarted."""
        instance = self._target.instance
        with self._tell.step("start") as done:
            if restart:
                self._stop_daemon()
            state = self._link.ask(lambda session: session.start_daemon(instance))
            plan = self._target.plan
            if plan is not None and state.release != plan.old_release:
                raise DaemonFailed(
                    f"the daemon of `{instance}` runs, but serves `{state.release}`",
                    hint="run the command again; `zsops status` shows what is served",
                )
            done.detail = f"pid {state.pid}" if state.pid else ""
        if self._target.probe is not None:
            with self._tell.step("probe") as done:
                self._target.probe(self._target)
                done.detail = "reached from here"
        return state.release

    def _stage(self) -> str:
        assert self._token is not None
        with self._tell.step("stage") as done:
            if self._target.rotates:
                rotated = self._link.ask(self._rotate)
                done.detail = f"{rotated.release.release}, the same site with other secrets"
                return self._staged(rotated.release)
            if self._target.tar is None:
                prepare = m.PrepareRollback(
                    token=self._token,
                    instance=self._target.instance,
                    to=self._target.rollback_to,
                    steps=self._target.rollback_steps,
                    who=self._run.who,
                    why=self._run.why,
                    with_secrets=self._target.with_secrets,
                    site=self._target.rollback_site,
                )
                staged = self._link.ask(lambda session: session.prepare_rollback(prepare))
                done.detail = f"{staged.release.release}, the site of {staged.source.release}"
                return self._staged(staged.release)
            uploaded = self._link.ask(self._send)
            self._sent = uploaded.received
            done.detail = f"{uploaded.release.release}, {uploaded.received} bytes sent"
            return self._staged(uploaded.release)

    def _staged(self, release: m.ReleaseInfo) -> str:
        self._target = replace(self._target, certificates=release.certificates)
        return release.release

    def _rotate(self, session: HostSession) -> m.Staged:
        assert self._token is not None
        assert self._target.seal is not None
        return session.prepare_rotation(
            m.PrepareRotation(
                token=self._token,
                instance=self._target.instance,
                material=self._target.seal.sealed_for(self._recipients(session)),
                who=self._run.who,
                why=self._run.why,
                retry_quarantined=self._target.retry_quarantined,
            )
        )

    def _recipients(self, session: HostSession) -> tuple[str, ...]:
        if self._target.recipient is not None:
            return (self._target.recipient,)
        return session.recipients()

    def _material(self, session: HostSession) -> m.Material | None:
        """Encrypted to the host; only its name when the host has it in service."""
        seal, plan = self._target.seal, self._target.plan
        if seal is None:
            return None
        if plan is not None and not plan.secrets.changes:
            return m.Material(seal.source)
        return seal.sealed_for(self._recipients(session))

    def _send(self, session: HostSession) -> m.Staged:
        plan, tar = self._target.plan, self._target.tar
        assert plan is not None
        assert tar is not None
        assert self._token is not None
        request = m.Stage(
            token=self._token,
            instance=self._target.instance,
            release_digest=plan.new_release_digest,
            site_digest=plan.new_site_digest,
            size=plan.size,
            who=self._run.who,
            why=self._run.why,
            commit=self._run.commit,
            retry_quarantined=self._target.retry_quarantined,
            extents=self._target.extents,
            material=self._material(session),
            sites=self._target.sites,
            only_site=self._target.only_site,
        )
        with tar.open("rb") as source:
            return session.stage(request, source, self._tell.progress)

    def _apply(self, release: str) -> None:
        assert self._token is not None
        request = m.Apply(
            token=self._token,
            instance=self._target.instance,
            release=release,
            health=self._health(release),
            confirm_window_s=self._target.confirm_window_s,
        )
        self._touched = True
        final = self._link.ask(lambda session: self._relay(session.apply(request)))
        self._end(final, expect="healthy")

    def _health(self, release: str) -> m.HealthPolicy:
        """The policy; for a rollback with files of the release that comes back."""
        return self._target.health if self._target.tar is not None else self._with_files(release)

    def _health_of_served(self) -> m.HealthPolicy:
        seen = self._link.ask(lambda session: session.observe(self._target.instance))
        return (
            self._target.health if seen.current is None else self._with_files(seen.current.release)
        )

    def _with_files(self, release: str) -> m.HealthPolicy:
        """The policy with files of a release the host has.

        Pages are left out, since the host's index does not say which of them are templates.
        """
        policy, instance = self._target.health, self._target.instance
        members = self._link.ask(lambda session: session.members(instance, release))
        plain = sorted(
            (each for each in members if _is_plain(each.path)), key=lambda each: each.size
        )
        content = tuple(
            m.ContentCheck(each.path.removeprefix(root), each.sha256, each.size, host)
            for each in plain[: m.CONTENT_CHECKS_MAX]
            for root, host in self._target.site_hosts or (("", ""),)
            if each.path.startswith(root)
        )
        return m.HealthPolicy(
            successes=policy.successes,
            interval_s=policy.interval_s,
            timeout_s=policy.timeout_s,
            probe_timeout_s=policy.probe_timeout_s,
            checks=policy.checks,
            content=content,
        )

    def _confirm(self, release: str) -> None:
        """Over a fresh session, after a look from outside; then the host's own word for it."""
        assert self._token is not None
        self._stop_if_aborted()
        instance = self._target.instance
        request = m.Confirm(token=self._token, instance=instance, release=release)
        if self._target.probe is not None:
            with self._tell.step("probe") as done:
                self._target.probe(self._target)
                done.detail = "reached from here"
            self._stop_if_aborted()
        with self._tell.step("confirm") as done:
            if self._target.fresh_confirm:
                self._link.close()
            self._link.insist(lambda session: session.confirm(request), self._abort)
            done.detail = ""
        seen = self._link.ask(lambda session: session.observe(instance))
        current = seen.current.release if seen.current else None
        if current != release or seen.last_good != release:
            raise UnsafeHost(
                f"`{self._target.host}` confirmed `{release}` but reports `{current}` in service"
                f" and `{seen.last_good}` as last good",
                hint="`zsops status` shows what it serves",
            )

    def _prune(self) -> None:
        assert self._token is not None
        request = m.Prune(token=self._token, instance=self._target.instance, keep=self._target.keep)
        try:
            pruned = self._link.ask(lambda session: session.prune(request))
        except ZsopsError as error:
            # Too many old releases are no reason to call a good deployment failed.
            self._tell.note(f"old releases could not be removed: {error.message}", "warning")
            return
        if pruned.removed:
            self._tell.note(f"removed old releases: {', '.join(pruned.removed)}")
        if pruned.programs:
            self._tell.note(f"removed old versions of the daemon: {', '.join(pruned.programs)}")

    # -- endings ----------------------------------------------------------------------------------

    def _end(self, final: m.StepEvent, *, expect: str) -> None:
        if final.outcome is not None and final.outcome.value == expect:
            return
        error = None
        if final.error is not None:
            error = ErrorInfo(
                code=final.error.code, message=final.error.message, hint=final.error.hint
            )
        elif final.evidence:
            error = ErrorInfo(code="reverted", message=f"evidence: {final.evidence}")
        raise _Ended("unsafe" if final.outcome is m.Outcome.UNSAFE else "reverted", error)

    def _end_unconfirmed(self, reason: str) -> tuple[Outcome, ErrorInfo | None]:
        """Bring the old release back, if the service may have moved."""
        if not self._touched or self._token is None:
            return "not_started", None
        try:
            self._end(self._revert(reason), expect="reverted")
        except _Ended as ended:
            return ended.outcome, ended.error
        except ZsopsError as error:
            self._tell.note(
                f"the host cannot be told to go back ({error.message}); its deadline does it",
                "warning",
            )
            return "self_reverted", error_info(error)
        return "reverted", None

    def _revert(self, reason: str) -> m.StepEvent:
        assert self._token is not None
        request = m.Revert(token=self._token, instance=self._target.instance, reason=reason)
        return self._link.ask(lambda session: self._relay(session.revert(request), deaf=True))

    def _judge(self, error: ZsopsError) -> tuple[Outcome, ExitCode]:
        """Outcome and exit code of an error that ended the run."""
        if isinstance(error, LeaseHeld | StaleToken):
            return "busy", ExitCode.LOCKED
        if isinstance(error, SelfReverted):
            return "self_reverted", ExitCode.SELF_REVERTED
        if isinstance(error, HostUnreachable):
            return self._silent()
        if isinstance(error, UnsafeHost):
            return "unsafe", ExitCode.UNSAFE
        return "failed", error.exit_code

    def _silent(self) -> tuple[Outcome, ExitCode]:
        """What silence means."""
        if self._link.in_doubt:
            return "unknown", ExitCode.PARTIAL
        # After the switch: the host takes itself back at its deadline.
        if self._touched:
            return "self_reverted", ExitCode.SELF_REVERTED
        if self._upgraded is not None:
            return "unknown", ExitCode.PARTIAL
        return "unreachable", ExitCode.UNREACHABLE

    def _unknown(self, error: ZsopsError) -> ZsopsError:
        what = f"`{self._target.instance}` on `{self._target.host}`"
        did = f"{what} was told to change, and was not reached again"
        if not self._link.in_doubt:
            did = f"{what} runs version {self._upgraded}, and was not reached again"
        return OutcomeUnknown(f"{did}: {error.message}", hint="`zsops status` shows what it serves")

    def _stop_daemon(self) -> None:
        self._stopped = True
        self._link.ask(lambda session: session.stop_daemon(self._target.instance))

    def _restore(self) -> None:
        """Settings are no part of a release: what this run wrote is taken back by hand.

        A listener that cannot be had (a port in use) must not keep the old version down.
        """
        old, instance = self._old_settings, self._target.instance
        if old is None and not self._stopped:
            return
        try:
            if old is not None:
                request = m.Install(instance=instance, settings=old)
                self._link.ask(lambda session: session.install(request))
            if self._stopped:
                self._link.ask(lambda session: session.stop_daemon(instance))
                self._link.ask(lambda session: session.start_daemon(instance))
            self._tell.note("the former settings are back")
        except ZsopsError as error:
            self._tell.note(f"the former settings cannot be restored: {error.message}", "warning")

    def _let_go(self) -> None:
        token = self._token
        if token is not None and self._link.is_open:
            with suppress(ZsopsError):
                self._link.ask(lambda session: session.release_lease(token))

    def _serving(self) -> str | None:
        if not self._link.is_open:
            return None
        instance = self._target.instance
        with suppress(ZsopsError):
            return self._link.ask(lambda session: session.daemon_status(instance)).site_digest
        return None

    def _relay(self, events: Iterator[m.StepEvent], *, deaf: bool = False) -> m.StepEvent:
        """Pass the host's events on; the last one. `deaf` to abortion while reverting."""
        last: m.StepEvent | None = None
        for last in events:
            # The event that ends a good `apply` repeats its last step only to carry the outcome.
            if last.outcome is not m.Outcome.HEALTHY:
                self._tell.host_step(last)
            if not deaf and last.outcome is None:
                self._stop_if_aborted()
        if last is None or last.outcome is None:
            raise LinkLost(f"`{self._target.host}` ended its answer early")
        return last

    def _stop_if_aborted(self) -> None:
        if self._abort.is_set():
            raise Aborted


def _is_plain(path: str) -> bool:
    return ".zeroserve/" not in path and not path.endswith((".html", ".htm"))
