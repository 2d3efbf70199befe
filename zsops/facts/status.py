"""The state of an instance in one word, from what was observed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zsops.errors import DaemonStopped, NotInstalled, UnsafeHost, ZsopsError
from zsops.host import messages as m
from zsops.host.upkeep import Trouble, Trying

State = Literal[
    "healthy", "unconfirmed", "drift", "stopped", "unsafe", "not deployed", "unreachable"
]


@dataclass(frozen=True)
class InstanceStatus:
    """One row of `zsops status`."""

    host: str
    instance: str
    state: State
    url: str
    observation: m.Observation
    error: ZsopsError | None = None  # why nothing was observed

    def problem(self, environment: str) -> ZsopsError | None:
        """Why this instance does not serve what it should; None when it does."""
        if self.error is not None:
            return self.error
        name, host = self.instance, self.host
        if self.state == "not deployed":
            return NotInstalled(
                f"nothing is deployed to instance `{name}` on `{host}`",
                hint=f"run `zsops deploy {environment}`",
            )
        if self.state == "stopped":
            why = self.observation.daemon.error
            return DaemonStopped(
                f"the daemon of `{name}` on `{host}` is not running" + (f": {why}" if why else ""),
                hint=f"run `zsops deploy {environment}` to start it",
            )
        if self.state == "unsafe":
            return UnsafeHost(
                f"instance `{name}` on `{host}` needs a person: {self.observation.unsafe}",
                hint=f"run `zsops history {environment}`",
            )
        return None


def judge(seen: m.Observation) -> State:
    """One word for `seen`, the worst first."""
    daemon, current = seen.daemon, seen.current
    if not seen.installed or current is None or current.number == 0:
        return "not deployed"
    if seen.unsafe:
        return "unsafe"
    if not daemon.running:
        return "stopped"
    if seen.phase.in_flight:
        return "unconfirmed"
    if seen.drift or daemon.release_digest != current.release_digest:
        return "drift"
    return "healthy"


def troubles(daemon: m.DaemonState) -> list[str]:
    """What its supervisor keeps trying, a line each."""
    return [_trouble(each) for each in daemon.trouble]


def _trouble(each: Trouble) -> str:
    what = "its daemon ended or did not start"
    if each.trying is Trying.WAY_BACK:
        what = "nobody kept the daemon that serves, and the way back to the chosen version failed"
    times = "once" if each.times == 1 else f"{each.times} times in a row"
    return f"{what}, {times}; tried again in {each.next_s:.0f} s: {each.error}"
