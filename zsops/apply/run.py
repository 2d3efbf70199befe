"""A run over all instances in scope: a thread drives them, the caller reads the events."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from zsops.apply.outcome import InstanceResult, exit_of
from zsops.apply.target import RunInfo, Target
from zsops.apply.waves import GOOD, WaveDriver
from zsops.errors import ExitCode
from zsops.plan.model import UnreachableHost
from zsops.plan.waves import Rollout, Wave
from zsops.report.events import ErrorInfo, Event, HostEvent, SummaryEvent
from zsops.report.run_id import timestamp


class Run:
    """Iterate over it for its events; it starts at the first one. The last is the summary.

    Without a `rollout` one host after the other, and none after the first that did not get there:
    what went wrong once is not repeated elsewhere.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        info: RunInfo,
        *,
        rollout: Rollout | None = None,
        unreachable: Sequence[UnreachableHost] = (),
        owner: object = None,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`unreachable`: hosts in scope that are out of reach already, and count as such.

        `owner` lives as long as the run: its temporary files are what the targets name. `at_end`
        lets go of what was kept for it.
        """
        self._owner = owner
        self._at_end = at_end
        hosts = tuple(dict.fromkeys(each.host for each in targets))
        self._rollout = rollout or Rollout((Wave(hosts, 1),))
        self._missing = tuple(unreachable)
        self.info = info
        self.results: tuple[InstanceResult, ...] = ()
        self.exit_code = ExitCode.OK
        self._targets = tuple(targets)
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._abort = threading.Event()
        self._thread = threading.Thread(target=self._drive, name="zsops-run")
        self._ended = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it is about."""
        return self._targets

    def abort(self) -> None:
        """Stop soon and revert what is unconfirmed. May be called at any time, by any thread and
        from a signal handler; the events go on until the summary."""
        self._abort.set()

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Event:
        if self._ended:
            raise StopIteration
        if self._thread.ident is None:
            self._thread.start()
        item = self._events.get()
        if item is None or isinstance(item, BaseException):
            self._ended = True
            self._thread.join()
            if item is not None:
                raise item
            raise StopIteration
        return item

    def _drive(self) -> None:
        try:
            self._drive_all()
        except BaseException as error:
            self._events.put(error)
        else:
            self._events.put(None)
        finally:
            self._at_end()

    def _drive_all(self) -> None:
        began = time.monotonic()
        driver = WaveDriver(
            self._targets,
            self._rollout,
            self.info,
            emit=self._events.put,
            ended=self._tell_end,
            abort=self._abort,
        )
        driver.count_unreachable([each.host for each in self._missing])
        missing = [self._unreached(each) for each in self._missing]
        driver.drive()
        self.results = (*driver.results, *missing)
        self.exit_code = self._exit_code(waits=driver.waits)
        self._events.put(self._summary(round((time.monotonic() - began) * 1000)))

    def _exit_code(self, *, waits: bool) -> ExitCode:
        if self._was_interrupted():
            return ExitCode.INTERRUPTED
        good = all(each.outcome in (*GOOD, "not_started") for each in self.results)
        return ExitCode.CANARY_WAITS if waits and good else exit_of(self.results)

    def _unreached(self, host: UnreachableHost) -> InstanceResult:
        error = ErrorInfo(code=host.code, message=host.reason)
        result = InstanceResult(
            host.host, "", "unreachable", error=error, exit_code=ExitCode.UNREACHABLE
        )
        self._tell_end(result, None)
        return result

    def _tell_end(self, result: InstanceResult, target: Target | None) -> None:
        url = target.url if target is not None and result.outcome in GOOD else None
        self._events.put(
            HostEvent(
                t=timestamp(),
                run=self.info.id,
                host=result.host,
                instance=result.instance,
                outcome=result.outcome,
                release=result.release,
                serving=result.serving,
                url=url,
                sent=result.sent,
                error=result.error,
            )
        )

    def _was_interrupted(self) -> bool:
        """An abort that came after the last confirmation interrupted nothing."""
        return self._abort.is_set() and any(
            each.outcome in ("interrupted", "not_started") for each in self.results
        )

    def _summary(self, milliseconds: int) -> SummaryEvent:
        counts = Counter(each.outcome for each in self.results)
        errors = [each.error for each in self.results if each.error is not None]
        return SummaryEvent(
            t=timestamp(),
            run=self.info.id,
            exit=int(self.exit_code),
            committed=counts["committed"],
            unchanged=counts["unchanged"],
            reverted=counts["reverted"] + counts["self_reverted"] + counts["interrupted"],
            failed=counts["failed"] + counts["busy"],
            unreachable=counts["unreachable"],
            unsafe=counts["unsafe"],
            not_started=counts["not_started"],
            ms=milliseconds,
            sent=sum(each.sent for each in self.results),
            error=errors[0] if errors else None,
        )
