"""Daemon: the long-lived process. Its main thread waits for signals and for nothing else.

SIGHUP reloads, SIGUSR1 reopens the access log, SIGTERM and SIGINT drain (a second one ends at
once, and so does the first while nothing is served yet), SIGPIPE is ignored. Lean: whatever is
imported here stays in memory for months.
"""

import gc
import os
import signal
import sys
import time

from zeroserve.control import identity
from zeroserve.control.listeners import bind_all
from zeroserve.control.metrics_server import MetricsServer
from zeroserve.control.notify import notify
from zeroserve.control.reloader import Reloader
from zeroserve.control.server import ControlServer
from zeroserve.control.service import Service
from zeroserve.control.signal_file import SignalFile
from zeroserve.control.start_watch import ENDING, StartWatch
from zeroserve.errors import EXIT_BUG, EXIT_OK, EXIT_REFUSED, FileRefused, ZeroserveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from zeroserve.config.model import ServerConfig
    from zeroserve.control.listeners import BoundListener
    from zeroserve.control.service import StartEngine

WATCHED = (signal.SIGHUP, signal.SIGUSR1, *ENDING)
LOOK_SECONDS = 2.0  # how soon a dead event loop is noticed
DRAIN_LOOK_SECONDS = 0.02  # how soon the end of the last request is
STDERR = 2


def run(
    config: "ServerConfig",
    arguments: "Sequence[str]" = (),
    start_engine: "StartEngine | None" = None,
) -> int:
    """Serve until told to end. Returns the exit code; refusals are printed, never raised.

    `arguments` are for `ps`; `start_engine` is the bridge's unless a test brings a fake.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    identity.name_process("zeroserve")
    if arguments:
        identity.show_arguments(["zeroserve", *arguments])
    try:
        if start_engine is None:
            from zeroserve.bridge.handles import Engine

            start_engine = Engine.start
        return _serve(config, start_engine)
    except ZeroserveError as error:
        say(error.render())
        return error.exit_code


def say(line: str) -> None:
    """One line for the operator, on stderr. A stderr that is gone is no reason to stop serving."""
    try:
        os.write(STDERR, f"{line}\n".encode(errors="replace"))
    except OSError:
        return


def _serve(config: "ServerConfig", start_engine: "StartEngine") -> int:
    descriptors = identity.raise_descriptor_limit()
    log_fd = open_log(config)
    control = None if config.control is None else ControlServer.claim(config.control)
    listeners: list[BoundListener] = []
    metrics: list[BoundListener] = []
    try:
        listeners = bind_all(config.listeners, threads=config.threads, reuse_port=config.reuse_port)
        if config.metrics_address is not None:
            metrics = bind_all([config.metrics_address], threads=1, reuse_port=False)
        with StartWatch(lambda: _leave_early(config)):
            service = Service.start(config, listeners, log_fd, start_engine, say)
    except BaseException:
        if control is not None:
            control.close()
            _remove_control(config)
        for listener in metrics:
            listener.close()
        raise
    finally:
        for listener in listeners:
            listener.close()  # the engine has its own duplicates
        if log_fd != STDERR:
            os.close(log_fd)
    say(f"file descriptor limit {descriptors}")
    _announce(config, listeners)
    life = _Life(config, service)
    if control is not None:
        life.open_control(control)
    for listener in metrics:
        say(f"metrics on {listener.scheme}://{listener.address}/metrics")
        life.open_metrics(listener.sockets[0])
    # What exists now stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    notify("READY=1", f"MAINPID={os.getpid()}", service.status_line())
    return life.run()


def _leave_early(config: "ServerConfig") -> None:
    say("ended by a signal before the site was loaded")
    _remove_control(config)


def _remove_control(config: "ServerConfig") -> None:
    if config.control is not None:
        os.unlink(config.control)  # noqa: PTH108  # pathlib is not loaded here


def open_log(config: "ServerConfig") -> int:
    """The descriptor for the access log: stderr, or the file opened for appending."""
    if config.access_log is None or config.log_format is None:
        return STDERR
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(config.access_log, flags, 0o640)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FileRefused("log-unwritable", f"access log `{config.access_log}`: {why}") from error


def _announce(config: "ServerConfig", listeners: "Sequence[BoundListener]") -> None:
    if config.has_tls:
        say("TLS enabled")
    for listener in listeners:
        say(f"listening on {listener.scheme}://{listener.address}")


class _Life:
    """From ready to the end: signals in, actions out."""

    def __init__(self, config: "ServerConfig", service: Service) -> None:
        self._config = config
        self._service = service
        self._reloader = Reloader(service.reload)
        # Its content is remembered before anyone is told that we are ready.
        path = config.reload_signal_file
        self._signal_file = None if path is None else SignalFile(path, self._reloader.request)
        self._control: ControlServer | None = None
        self._metrics: MetricsServer | None = None
        self._draining = False

    def open_control(self, listener: "socket.socket") -> None:
        assert self._config.control is not None
        self._control = ControlServer(self._config.control, self._service, self._ask_to_end)
        self._control.open(listener)

    def open_metrics(self, listener: "socket.socket") -> None:
        self._metrics = MetricsServer(self._service.metrics)
        self._metrics.open(listener)

    def run(self) -> int:
        self._reloader.start()
        if self._signal_file is not None:
            self._signal_file.start()
        try:
            return self._end(self._wait())
        except ZeroserveError as error:
            say(error.render())
            return self._end(error.exit_code)

    def _wait(self) -> int:
        while True:
            received = signal.sigtimedwait(WATCHED, LOOK_SECONDS)
            if received is None:
                if self._service.has_ended():
                    say("error[engine-bug]: the event loops ended by themselves")
                    return EXIT_BUG
            elif received.si_signo in ENDING:
                return self._drain()
            else:
                self._handle(received.si_signo)

    def _ask_to_end(self) -> None:
        # The main thread takes it like any other; a second request must not count as the second
        # signal that ends at once.
        if not self._draining:
            self._draining = True
            os.kill(os.getpid(), signal.SIGTERM)

    def _handle(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._reloader.request()
        elif number == signal.SIGUSR1:
            self._reopen_log()

    def _reopen_log(self) -> None:
        try:
            descriptor = open_log(self._config)
            if descriptor == STDERR:
                return
            try:
                self._service.switch_log(descriptor)
            finally:
                os.close(descriptor)
        except ZeroserveError as error:
            say(f"the old access log is kept: {error.message}")
        else:
            say(f"access log `{self._config.access_log}` reopened")

    def _drain(self) -> int:
        self._draining = True
        notify("STOPPING=1")
        say("draining: no new connections, requests in flight are finished")
        self._service.drain()
        deadline = time.monotonic() + self._config.grace_s
        code = EXIT_OK
        while not self._service.has_ended():
            received = signal.sigtimedwait(WATCHED, DRAIN_LOOK_SECONDS)
            if received is not None and received.si_signo in ENDING:
                say("second signal: ending at once")
                code = EXIT_REFUSED
                break
            if time.monotonic() >= deadline:
                say(f"grace of {self._config.grace_s:g} s is over: ending")
                break
        return code

    def _end(self, code: int) -> int:
        quiet = self._control is None or self._control.close(1.0)
        quiet = (self._metrics is None or self._metrics.close(1.0)) and quiet
        quiet = self._reloader.end(1.0) and quiet
        # A thread that is still inside the engine would meet freed memory: then leave as it is.
        if quiet and self._service.stop():
            return code
        sys.stderr.flush()
        os._exit(code)
