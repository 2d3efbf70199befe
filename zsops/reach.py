"""The way to each machine of an environment: this one, or one over SSH by the file's settings."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from zsops.config.hosts import Machine
from zsops.transport.base import Transport
from zsops.transport.limits import Limits
from zsops.transport.local import LocalTransport
from zsops.transport.ssh import Remote, SshNetwork, SshTransport
from zsops.transport.ssh_config import SshWish

#: Makes the way to a machine.
Connector = Callable[[Machine], Transport]


class Reach:
    """Makes transports. Close it at the end."""

    def __init__(
        self,
        directory: Path,
        *,
        limits: Limits | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`directory`: what paths of the file are relative to."""
        self._directory = directory
        self._network = SshNetwork(limits, warn)

    def __call__(self, machine: Machine) -> Transport:
        if machine.address is None:
            return LocalTransport()
        return self.over_ssh(machine)

    def over_ssh(self, machine: Machine) -> SshTransport:
        """The SSH way to a machine that has one."""
        ssh = machine.ssh
        remote = Remote(program=ssh.program or ("zsops-host",), root=ssh.root, sudo=bool(ssh.sudo))
        return SshTransport(machine.name, self.wish(machine), remote, self._network)

    def dialer(self, machine: Machine) -> Callable[[str, int], socket.socket]:
        """Opens TCP connections from where the machine is seen: its last jump host, or here."""
        wish = self.wish(machine)
        return lambda host, port: self._network.dial(wish, host, port)

    def wish(self, machine: Machine) -> SshWish:
        """What the file says of the way to `machine`."""
        ssh = machine.ssh
        return SshWish(
            address=machine.address or "localhost",
            user=ssh.user,
            port=ssh.port,
            jump=ssh.jump or (),
            identity=self._path(ssh.identity),
            known_hosts=self._path(ssh.known_hosts),
            config=self._path(ssh.config),
        )

    def close(self) -> None:
        """End what is shared; never raises."""
        self._network.close()

    def _path(self, written: str | None) -> Path | None:
        return None if written is None else self._directory / Path(written).expanduser()
