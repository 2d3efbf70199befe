"""A zsops project with certificates on this machine, deployed to the real server."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

from support.material import OperatorKey
from support.process import PROGRAMS, Finished, run
from zsops.transport.local import LocalTransport


class TlsProject:
    """Operator's key, a port that is free, and `zsops` with a state of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.operator = OperatorKey.make(directory / "operator.age")
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            self.port: int = taken.getsockname()[1]

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def zsops(self, *arguments: str) -> Finished:
        env = {"ZSOPS_ROOT": str(self.state), **self.operator.env}
        return run([PROGRAMS / "zsops", *arguments], cwd=self.directory, env=env)

    def stop(self) -> None:
        """End the instance `web`, if it was ever deployed."""
        if self.state.exists():
            with LocalTransport(self.state).connect() as session:
                session.stop_daemon("web")
