"""This machine as a host: `zsops-host serve` as a child, spoken to over pipes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from zsops import process
from zsops.errors import HostUnreachable, LinkLost
from zsops.host.__main__ import default_root
from zsops.host.frames import FrameWriter
from zsops.transport.framed import FramedSession

_WRITE_PATIENCE_S = 60.0
_END_PATIENCE_S = 30.0  # a request that runs on without us reaches its resting point


class LocalTransport:
    """`Transport` to the zsops root on this machine."""

    def __init__(self, root: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """`root`: where the host keeps its state; None means `default_root()`. `env` is added."""
        self._root = (default_root() if root is None else root).absolute()
        self._env = dict(env or {})

    @property
    def host(self) -> str:
        return "local"

    @property
    def may_stay(self) -> bool:
        return True

    @property
    def root(self) -> Path:
        """Where this host keeps its state."""
        return self._root

    def connect(self) -> FramedSession:
        argv = [sys.executable, "-m", "zsops.host", "serve", "--root", str(self._root)]
        try:
            child = process.start_piped(argv, env=self._env)
        except OSError as error:
            raise HostUnreachable(f"`zsops-host` cannot be started: {error}") from error
        try:
            sink = FrameWriter(child.stdin.fileno(), _WRITE_PATIENCE_S)
            return FramedSession(child.stdout, sink, lambda: _end(child))
        except LinkLost as lost:
            code = child.close(_END_PATIENCE_S)
            raise HostUnreachable(
                f"`zsops-host` ended with {code} before it said hello",
                hint=f"is `{self._root}` writable?",
            ) from lost
        except BaseException:
            child.close(0.0)
            raise


def _end(child: process.Child) -> None:
    child.close(_END_PATIENCE_S)
