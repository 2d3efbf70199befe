"""Between deployments: what is said about facts, logs, holds and healing. Frozen values only.

As in `messages.py`; times are RFC 3339 UTC text, durations seconds.
"""

from __future__ import annotations

from enum import StrEnum

from zsops.frozen import frozen


@frozen
class HostFacts:
    """The machine behind a session, as `check --live` shows it."""

    wall: str  # the host's own clock; nothing but certificates goes by it
    software: str
    user: str
    kernel: str
    systemd: bool  # PID 1 is systemd
    free_bytes: int  # where zsops keeps its state


class Trying(StrEnum):
    """What a supervisor keeps trying."""

    START = "start"  # the daemon: it ends by itself, or does not start
    WAY_BACK = "way-back"  # to the chosen version, since nobody kept the one that serves


@frozen
class Trouble:
    """What has failed `times` in a row, last with `error`, and is tried again in `next_s`."""

    trying: Trying
    times: int
    error: str
    next_s: float


class Log(StrEnum):
    """A log of an instance."""

    ACCESS = "access"
    DAEMON = "daemon"
    SUPERVISOR = "supervisor"


@frozen
class ReadLog:
    """Whole lines of a log: the newest `lines`, or from `cursor` on what has come since.

    With a cursor and nothing new the host waits up to `wait_s` for the next line.
    """

    instance: str
    log: Log
    cursor: int | None = None
    lines: int = 100
    since_s: float | None = None  # only lines younger than this, by the host's clock
    contains: str | None = None
    wait_s: float = 0.0


@frozen
class LogLines:
    """`cursor` is where to go on; `restarted`: the file began anew, lines may be missing."""

    lines: tuple[str, ...]
    cursor: int
    restarted: bool = False


@frozen
class ProbeResult:
    """One question of a health check, and its answer."""

    what: str  # who was asked for what
    expected: str
    got: str
    ok: bool


@frozen
class Evidence:
    """What a host kept of a deployment that failed there; nothing in it is a secret.

    `results`: of the last round of the health check, up to the question that failed. `status`,
    `headers`, `body`: the answer to that one, shortened. `log`: the daemon's last lines then.
    """

    release: str
    at: str
    step: str  # a `Step`, or the phase it was in when its time was up
    problem: str
    results: tuple[ProbeResult, ...] = ()
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    log: tuple[str, ...] = ()


@frozen
class Hold:
    """Keep new deployments from the host, until somebody says `resume`."""

    who: str
    why: str


@frozen
class Held:
    """A hold in force."""

    who: str
    why: str
    at: str


@frozen
class Heal:
    """Bring the instance back to what its own journal says: link, daemon, digest."""

    token: int
    instance: str


@frozen
class Healed:
    """What had to be put right, for people; empty: nothing."""

    done: tuple[str, ...]
    serving: str
