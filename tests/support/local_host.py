"""A host on this machine in a temporary root, with the fake daemon or the real server."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import signal
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.polling import wait_until
from zsops.host import messages as m
from zsops.host.daemon import LocalDaemon
from zsops.host.layout import InstancePaths
from zsops.host.records import Daemon, RunRecords
from zsops.process import Identity
from zsops.transport.local import LocalTransport

FAKE = (sys.executable, str(Path(__file__).with_name("fake_daemon.py")))
REAL: tuple[str, ...] = ()
PROGRAMS = {"fake daemon": FAKE, "zeroserve": REAL}


@dataclass
class LocalHost:
    """One root, its transport, and the processes that belong to it."""

    root: Path
    program: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    seen: list[Identity] = field(default_factory=list)

    @property
    def transport(self) -> LocalTransport:
        return LocalTransport(self.root, self.env)

    @property
    def records(self) -> RunRecords:
        return RunRecords(self.root, "web")

    @property
    def paths(self) -> InstancePaths:
        return InstancePaths("web")

    def install(self, *flags: str) -> None:
        settings = m.InstanceSettings(
            ("localhost",), ("127.0.0.1:0",), flags=flags, program=self.program
        )
        with self.transport.connect() as session:
            session.install(m.Install("web", settings))

    def supervisor(self) -> Identity:
        """The live supervisor's process."""
        wait_until(lambda: self.records.supervisor() is not None, what="a supervisor")
        found = self.records.supervisor()
        assert found is not None
        self.seen.append(found.identity)
        return found.identity

    def daemon(self) -> Identity:
        """The live daemon's process."""

        def alive() -> bool:
            record = self.records.load(Daemon, "daemon.json")
            return record is not None and record.identity.is_alive()

        wait_until(alive, what="a daemon")
        record = self.records.load(Daemon, "daemon.json")
        assert record is not None
        self.seen.append(record.identity)
        return record.identity

    def page(self, release: str | None = None) -> bytes:
        """The front page over HTTPS, verified against a release's certificate (or current's)."""
        home = self.paths.current if release is None else self.paths.release(release)
        context = ssl.create_default_context(cafile=str(self.root / home / "tls" / "cert.pem"))
        (listener,) = LocalDaemon(self.root).status("web").listeners
        port = int(listener.address.rpartition(":")[2])
        link = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
        try:
            link.request("GET", "/index.html")
            return link.getresponse().read()
        finally:
            link.close()

    def close(self) -> None:
        """Stop everything, and see that it stopped."""
        if self.records.supervisor() is not None:
            self.supervisor()
            with self.transport.connect() as session:
                session.stop_daemon("web")
        try:
            for process in self.seen:
                wait_until(lambda p=process: not p.is_alive(), what=f"the end of {process}")
        finally:
            for process in self.seen:
                process.send(signal.SIGKILL)


@contextmanager
def local_host(program: tuple[str, ...]) -> Iterator[LocalHost]:
    """A host in a short temporary path (a socket's name is limited); nothing is left behind."""
    root = Path(tempfile.mkdtemp(prefix="zsops-"))
    host = LocalHost(root / "r", program)
    try:
        yield host
    finally:
        host.close()
        shutil.rmtree(root)


def digest_of(path: Path) -> str:
    """`sha256:…` of a file."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
