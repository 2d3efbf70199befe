"""Service: one running engine, the generation it serves, and the reloads that replace it.

Methods may be called from any thread. A reload either swaps everything or nothing; two never run at
the same time.
"""

import json
import os
import threading
import time

from zeroserve import __version__
from zeroserve.config.record import Record
from zeroserve.control.ech_keys import tell_ech
from zeroserve.control.generation import Material, load_material
from zeroserve.control.metrics import render_metrics
from zeroserve.control.notify import notify, notify_reloading
from zeroserve.errors import ReleaseRefused, UsageRefused, ZeroserveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from zeroserve.config.model import ServerConfig
    from zeroserve.control.listeners import BoundListener

    class EngineHandle(Protocol):
        """What the control plane needs of an engine; `bridge.handles.Engine`, or a test's fake."""

        summary: dict[str, Any]

        def reload(self, spec: bytes) -> dict[str, Any]: ...
        def log(self, descriptor: int) -> None: ...
        def stats(self) -> dict[str, Any]: ...
        def drain(self) -> None: ...
        def wait(self, timeout_ms: int) -> bool: ...
        def stop(self) -> None: ...

    StartEngine = Callable[[bytes], EngineHandle]

PROBE_PREFIX = "/.zeroserve/probe/"


class Served(Record):
    """The generation that is served. `number` grows by one with each that takes over."""

    number: int
    release: str | None
    release_digest: str
    site_digest: str | None


class ReloadOutcome(Record):
    """What came of one reload. `served` is what is served after it, in either case."""

    id: int
    ok: bool
    at: str
    error: str | None
    served: Served


class Service:
    """A running server, from its first generation to `stop`."""

    def __init__(
        self,
        config: "ServerConfig",
        listeners: "Sequence[BoundListener]",
        engine: "EngineHandle",
        served: Served,
        say: "Callable[[str], None]",
    ) -> None:
        """Take over a started engine; `start` calls this. `say` prints a line for the operator."""
        self._config = config
        self._engine = engine
        self._say = say
        self._started_at = timestamp()
        self._started = time.monotonic()
        self._addresses = [{"scheme": one.scheme, "address": one.address} for one in listeners]
        self._reloading = threading.Lock()
        self._served = served
        self._last: ReloadOutcome | None = None
        self._reloads = 0
        self._reloads_failed = 0
        self._ech_keys: dict[str, str] = {}

    @classmethod
    def start(
        cls,
        config: "ServerConfig",
        listeners: "Sequence[BoundListener]",
        log_fd: int,
        start_engine: "StartEngine",
        say: "Callable[[str], None]",
    ) -> "Service":
        """Load the first generation and start the engine on it. Raises `ZeroserveError`."""
        material = load_material(config)
        try:
            settings = engine_settings(config, listeners, log_fd, material.spec(1))
            engine = start_engine(json.dumps(settings).encode())
            summary = engine.summary
            served = _served(1, material, summary)
        finally:
            material.close()
        site = material.site_path
        say(f"loaded {summary.get('members')} entries from {site} ({summary.get('bytes')} bytes)")
        _say_warnings(summary, say)
        ech_keys = tell_ech(summary, {}, say)
        service = cls(config, listeners, engine, served, say)
        service._ech_keys = ech_keys
        return service

    def reload(self, expect: str | None = None) -> ReloadOutcome:
        """Load again and swap. Waits for a reload that runs already; never raises for bad input.

        `expect` is the release digest that must be found; any other changes nothing.
        """
        with self._reloading:
            notify_reloading()
            number = self._reloads + 1
            error = None
            try:
                self._served = self._swap(expect)
            except ZeroserveError as refused:
                error = f"{refused.message} [{refused.code}]"
            except Exception as bug:  # a reload must never take the running server down
                error = f"a bug in zeroserve: {type(bug).__name__}: {bug} [engine-bug]"
            self._reloads = number
            self._reloads_failed += error is not None
            self._last = ReloadOutcome(
                id=number, ok=error is None, at=timestamp(), error=error, served=self._served
            )
            notify("READY=1", self.status_line())
            if error is None:
                self._say(f"reload {number}: serving generation {self._served.number}")
            else:
                self._say(f"reload {number} refused, the old site is still served: {error}")
            return self._last

    def _swap(self, expect: str | None) -> Served:
        material = load_material(self._config)
        try:
            if expect is not None and material.release_digest != expect:
                raise ReleaseRefused(
                    "release-unexpected",
                    f"expected {expect}, found {material.release_digest} in `{material.site_path}`",
                )
            number = self._served.number + 1
            summary = self._engine.reload(json.dumps(material.spec(number)).encode())
            _say_warnings(summary, self._say)
            self._ech_keys = tell_ech(summary, self._ech_keys, self._say)
            return _served(number, material, summary)
        finally:
            material.close()

    def status(self) -> "dict[str, Any]":
        """The answer to `GET /status`."""
        served, last = self._served, self._last
        return {
            "v": 1,
            "pid": os.getpid(),
            "version": __version__,
            "generation": served.number,
            "release_digest": served.release_digest,
            "site_digest": served.site_digest,
            "release": served.release,
            "started_at": self._started_at,
            "listeners": self._addresses,
            "last_reload": last
            and {"id": last.id, "ok": last.ok, "error": last.error, "at": last.at},
            "stats": self._engine.stats(),
        }

    def status_line(self) -> str:
        """The line for `systemctl status`."""
        served = self._served
        return f"STATUS=serving generation {served.number}, {served.release or served.site_digest}"

    def metrics(self) -> str:
        """The answer to `GET /metrics`."""
        return render_metrics(
            self._engine.stats(),
            generation=self._served.number,
            reloads=self._reloads,
            reloads_failed=self._reloads_failed,
            uptime_s=time.monotonic() - self._started,
        )

    def switch_log(self, descriptor: int) -> None:
        """Write the access log to another descriptor."""
        self._engine.log(descriptor)

    def drain(self) -> None:
        """Accept nothing more; finish what is running."""
        self._engine.drain()

    def has_ended(self) -> bool:
        """Whether every event loop has ended. Raises `EngineBug` when one died."""
        return self._engine.wait(0)

    def stop(self) -> bool:
        """End at once and free the engine; no other method may be running or called after it.

        Returns False, and leaves the engine alone, while a reload is still inside it.
        """
        if not self._reloading.acquire(timeout=1):
            return False
        self._engine.stop()
        return True


def engine_settings(
    config: "ServerConfig",
    listeners: "Sequence[BoundListener]",
    log_fd: int,
    spec: "dict[str, Any]",
) -> "dict[str, Any]":
    """The settings with which the engine starts."""
    log = None
    if config.log_format is not None:
        log = {"fd": log_fd, "format": config.log_format}
    probe = None
    if config.probe_secret is not None:
        probe = PROBE_PREFIX + config.probe_secret
    return {
        "threads": config.threads,
        "listeners": [
            {
                "scheme": one.scheme,
                "proxy": one.scheme in config.proxy_schemes,
                "address": one.address,
                "fds": [socket.fileno() for socket in one.sockets],
            }
            for one in listeners
        ],
        "proxy_from": [
            {"address": address, "prefix": int(prefix)}
            for address, _, prefix in (one.partition("/") for one in config.proxy_from)
        ],
        "generation": spec,
        "index": config.index,
        "try_html": config.try_html,
        "chunk_size": config.chunk_size,
        "access_log": log,
        "probe_path": probe,
        "hostnames": None if config.hostnames is None else list(config.hostnames),
        "redirect_https_port": https_port(config, listeners),
        "limits": config.limits.as_dict(),
        "scripts": config.scripts.as_dict(),
    }


def https_port(config: "ServerConfig", listeners: "Sequence[BoundListener]") -> int | None:
    """The port that plain HTTP is sent to, None when it is served. Known only after the bind.

    Raises `UsageRefused` when the first HTTPS listener, an inherited socket, has none.
    """
    if not config.redirect_https or config.https_port is not None:
        return config.https_port
    address = next(one.address for one in listeners if one.scheme == "https")
    port = address.rpartition(":")[2]
    if address.startswith(("unix:", "fd:")) or not port.isdigit():
        raise UsageRefused(
            "usage",
            f"`--redirect-https`: `{address}` has no port to redirect to",
            hint="name the port that clients use: `--https-port 443`",
        )
    return int(port)


def timestamp() -> str:
    """Now, as RFC 3339 in UTC with whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _served(number: int, material: Material, summary: "dict[str, Any]") -> Served:
    digest = summary.get("site_digest")
    return Served(
        number=number,
        release=material.release,
        release_digest=material.release_digest,
        site_digest=digest if isinstance(digest, str) else material.site_digest,
    )


def _say_warnings(summary: "dict[str, Any]", say: "Callable[[str], None]") -> None:
    for warning in summary.get("warnings") or []:
        say(f"warning: {warning}")
