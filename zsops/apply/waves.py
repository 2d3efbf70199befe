"""Wave after wave over all hosts: how many at a time, when to stop, whom to take back.

Hosts that fail and hosts that cannot be reached are counted apart. Once one count is above what
the strategy allows no host is begun any more; those in work finish.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from zsops.apply.instance import InstanceRun
from zsops.apply.outcome import InstanceResult, error_info
from zsops.apply.target import RunInfo, Target
from zsops.errors import ExitCode, ZsopsError
from zsops.host import messages as m
from zsops.plan.waves import Rollout, Wave
from zsops.report.events import ErrorInfo, Event, NoteEvent, NoteLevel
from zsops.report.run_id import timestamp

GOOD = ("committed", "unchanged")
Key = tuple[str, str]


class WaveDriver:
    """Drives the targets of one run. `results` has every target's end, in the order of targets."""

    def __init__(
        self,
        targets: Sequence[Target],
        rollout: Rollout,
        info: RunInfo,
        *,
        emit: Callable[[Event], None],
        ended: Callable[[InstanceResult, Target], None],
        abort: threading.Event,
    ) -> None:
        self._rollout = rollout
        self._info = info
        self._emit = emit
        self._ended = ended
        self._abort = abort
        self._lock = threading.Lock()
        self._targets = {(each.host, each.instance): each for each in targets}
        self._results: dict[Key, InstanceResult] = {}
        self._failed: set[str] = set()
        self._unreachable: set[str] = set()
        self.waits = False  # the first wave is good, and a person decides about the rest

    @property
    def results(self) -> tuple[InstanceResult, ...]:
        """Every target's end, in order."""
        return tuple(self._results[key] for key in self._targets)

    def count_unreachable(self, hosts: Sequence[str]) -> None:
        """Hosts that are known to be out of reach before anything begins."""
        self._unreachable.update(hosts)

    def drive(self) -> None:
        """All waves; afterwards every target has a result."""
        waves = [wave for wave in self._rollout.waves if self._of(wave)]
        for number, wave in enumerate(waves, start=1):
            if self._stopped():
                break
            if len(waves) > 1:
                self._note(f"wave {number} of {len(waves)}: {', '.join(self._of(wave))}")
            self._parallel(wave, list(self._of(wave)), self._host)
            last = number == len(waves)
            if not last and not self._stopped() and self._moved(wave):
                self._soak(wave)
            if self._stopped() and not self._abort.is_set():
                self._take_back(wave)
                break
            if number == 1 and not last and self._rollout.waits_after_first:
                self.waits = True
                break
        for key, target in self._targets.items():
            if key not in self._results:
                self._end(target, InstanceResult(target.host, target.instance, "not_started"))

    # -- one wave ---------------------------------------------------------------------------------

    def _of(self, wave: Wave) -> Sequence[str]:
        hosts = {host for host, _ in self._targets}
        return [host for host in wave.hosts if host in hosts]

    def _parallel(self, wave: Wave, hosts: Sequence[str], work: Callable[[str], None]) -> None:
        """`work` on each host, `wave.batch` at a time; none is begun after a stop."""
        waiting = deque(hosts)
        faults: list[BaseException] = []

        def worker() -> None:
            while True:
                with self._lock:
                    if not waiting or faults:
                        return
                    host = waiting.popleft()
                try:
                    work(host)
                except BaseException as fault:
                    faults.append(fault)

        threads = [
            threading.Thread(target=worker, name=f"zsops-{at}")
            for at in range(min(wave.batch, len(hosts)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]

    def _host(self, host: str) -> None:
        """The instances of one host, one after the other; none after the first that failed."""
        if self._stopped():
            return
        for target in self._mine(host):
            run = InstanceRun(
                target, self._info, emit=self._emit, abort=self._abort, may_wait=self._has_begun
            )
            result = run.execute()
            self._end(target, result)
            if result.outcome not in GOOD:
                self._count(host, result)
                return

    def _has_begun(self) -> bool:
        """Whether a host is on the new release already, so that giving up would leave a half."""
        with self._lock:
            return any(each.outcome == "committed" for each in self._results.values())

    def _mine(self, host: str) -> list[Target]:
        return [each for (name, _), each in self._targets.items() if name == host]

    def _count(self, host: str, result: InstanceResult) -> None:
        with self._lock:
            counted = self._unreachable if result.outcome == "unreachable" else self._failed
            counted.add(host)

    def _end(self, target: Target, result: InstanceResult) -> None:
        self._results[target.host, target.instance] = result
        self._ended(result, target)

    def _stopped(self) -> bool:
        with self._lock:
            return (
                self._abort.is_set()
                or len(self._failed) > self._rollout.fail_max
                or len(self._unreachable) > self._rollout.unreachable_max
            )

    # -- between waves ----------------------------------------------------------------------------

    def _moved(self, wave: Wave) -> list[Target]:
        """Targets of the wave that this run has put on the new release."""
        return [
            target
            for host in self._of(wave)
            for target in self._mine(host)
            if (result := self._results.get((host, target.instance))) is not None
            and result.outcome == "committed"
        ]

    def _soak(self, wave: Wave) -> None:
        """Let the wave serve for a while, then look at each of its hosts again."""
        if not self._rollout.soak_s:
            return
        self._note(f"waiting {self._rollout.soak_s:g} s before the next wave")
        if self._abort.wait(self._rollout.soak_s):
            return
        moved: Mapping[str, list[Target]] = {
            host: [each for each in self._moved(wave) if each.host == host]
            for host in self._of(wave)
        }

        def look(host: str) -> None:
            for target in moved[host]:
                problem = _spoilt(target)
                if problem is not None:
                    self._note(f"no longer good after the soak: {problem}", "warning", host)
                    with self._lock:
                        self._failed.add(host)

        self._parallel(wave, [host for host in moved if moved[host]], look)

    def _take_back(self, wave: Wave) -> None:
        """The strategy wants no half wave: its good hosts go back to what they served."""
        moved = self._moved(wave)
        if not self._rollout.revert_wave or not moved:
            return
        self._note(f"taking {len(moved)} more of this wave back")

        def back(host: str) -> None:
            for target in (each for each in moved if each.host == host):
                self._end(target, self._back(target))

        self._parallel(wave, sorted({each.host for each in moved}), back)

    def _back(self, target: Target) -> InstanceResult:
        former = self._results[target.host, target.instance]
        daemon = target.daemon
        if daemon is not None:
            daemon = replace(daemon, version=daemon.old or daemon.version, wheel=None)
        if target.only_daemon:
            back = replace(target, daemon=daemon, probe=None, settled=None)
            return self._take(back, former, f"daemon {daemon.version if daemon else ''}")
        old = target.plan.old_release if target.plan is not None else None
        if target.rotates:
            old = target.rollback_to
        if old is None:
            text = "the first release of this host has nothing before it to go back to"
            self._note(text, "warning", target.host)
            return former
        back = replace(
            target,
            plan=None,
            tar=None,
            rollback_to=old,
            # The wave is undone in whole: what came with it, a certificate say, goes with it.
            with_secrets=True,
            rollback_site=None,
            rotates=False,
            probe=None,
            health=_bare(target.health),
            daemon=daemon,
        )
        return self._take(back, former, old)

    def _take(self, back: Target, former: InstanceResult, old: str) -> InstanceResult:
        info = replace(self._info, why=f"the wave failed: back to {old}")
        result = InstanceRun(back, info, emit=self._emit, abort=threading.Event()).execute()
        if result.outcome != "committed":
            return replace(result, sent=former.sent)
        return replace(
            result,
            outcome="reverted",
            sent=former.sent,
            error=ErrorInfo(code="wave-reverted", message=f"the wave failed; back to {old}"),
            exit_code=ExitCode.REVERTED,
        )

    def _note(self, text: str, level: NoteLevel = "info", host: str | None = None) -> None:
        stamp = timestamp()
        self._emit(NoteEvent(t=stamp, run=self._info.id, level=level, text=text, host=host))


def _bare(policy: m.HealthPolicy) -> m.HealthPolicy:
    """Today's checks describe today's site; they must keep nobody from going back."""
    return replace(policy, checks=(), content=())


def _spoilt(target: Target) -> str | None:
    """What is wrong with a host that was good before the soak; None when it still is."""
    try:
        with target.transport.connect() as session:
            seen = session.observe(target.instance)
    except ZsopsError as error:
        return error_info(error).message
    wanted = target.plan.new_release_digest if target.plan is not None else None
    if target.only_site is not None:  # put together on the host: its own record knows the digest
        wanted = seen.current.release_digest if seen.current is not None else None
    problem = _of_daemon(seen.daemon, wanted, target) or seen.unsafe or seen.drift
    if problem:
        return problem
    if target.probe is not None:
        try:
            target.probe(target)
        except ZsopsError as error:
            return error.message
    return None


def _of_daemon(daemon: m.DaemonState, wanted: str | None, target: Target) -> str | None:
    if not daemon.running:
        return f"the daemon does not run ({daemon.error or 'no reason known'})"
    if wanted is not None and daemon.release_digest != wanted:
        return f"it serves {daemon.release_digest}"
    if target.daemon is not None and daemon.version != target.daemon.version:
        return f"its daemon is {daemon.version}"
    return None
