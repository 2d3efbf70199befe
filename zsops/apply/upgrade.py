"""The parts of a change of daemons on one instance: the wheel, the request, the look, the wait."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from zsops.apply.link import Link
from zsops.apply.target import NewDaemon, RunInfo, Target
from zsops.apply.tell import Teller
from zsops.errors import HostUnreachable
from zsops.host import messages as m
from zsops.transport.base import HostSession

_DRAIN_LOOK_S = 0.2
_KILL_S = 10.0  # what a daemon that does not end gets on top


class DaemonUpgrade:
    """Brings one instance to another version; `serving`: the release, which stays what it is."""

    def __init__(
        self,
        target: Target,
        new: NewDaemon,
        run: RunInfo,
        link: Link,
        tell: Teller,
        token: int,
    ) -> None:
        self._target = target
        self._new = new
        self._run = run
        self._link = link
        self._tell = tell
        self._token = token
        self.serving: str | None = None
        self.old: str | None = None  # the version that runs; known once `send` has looked

    def send(self) -> int:
        """See that a daemon runs and that the version is on the host; bytes that were sent."""
        instance = self._target.instance
        state = self._link.ask(lambda session: session.daemon_status(instance))
        if not state.running:
            with self._tell.step("start"):
                state = self._link.ask(lambda session: session.start_daemon(instance))
        self.serving, self.old = state.release, state.version
        if self._new.wheel is None:
            return 0
        with self._tell.step("stage") as done:
            sent = self._link.ask(self._send_wheel).received
            done.detail = f"daemon {self._new.version}, {sent} bytes sent"
        return sent

    def _send_wheel(self, session: HostSession) -> m.ProgramStaged:
        assert self._new.wheel is not None
        request = m.StageProgram(
            token=self._token,
            instance=self._target.instance,
            version=self._new.version,
            digest=self._new.digest,
            size=self._new.size,
            who=self._run.who,
            why=self._run.why,
        )
        with self._new.wheel.open("rb") as source:
            return session.stage_program(request, source, self._tell.progress)

    def request(self, version: str, health: m.HealthPolicy) -> m.Upgrade:
        """What the host is asked for."""
        return m.Upgrade(
            token=self._token,
            instance=self._target.instance,
            version=version,
            health=health,
            drain_s=self._new.drain_s,
            who=self._run.who,
            why=self._run.why,
        )

    def look(self) -> None:
        """From outside, whatever is served now. Raises ProbeFailed."""
        if self._target.probe is None:
            return
        bare = replace(self._target.health, checks=(), content=())
        with self._tell.step("probe") as done:
            self._target.probe(replace(self._target, health=bare))
            done.detail = "reached from here"

    def see_off(self, abort: threading.Event) -> None:
        """Wait until the old daemon has finished its requests, or has had its time."""
        instance = self._target.instance
        with self._tell.step("drain") as done:
            end = time.monotonic() + self._new.drain_s + _KILL_S
            try:
                while self._link.ask(lambda session: session.daemon_status(instance)).draining:
                    if time.monotonic() >= end or abort.wait(_DRAIN_LOOK_S):
                        done.detail = "the old daemon still drains"
                        return
            except HostUnreachable as lost:
                # The new one is proven and kept: nothing hangs on this look any more.
                done.detail = f"nobody saw the old daemon's end: {lost.message}"
                return
            done.detail = "the old daemon has drained"
