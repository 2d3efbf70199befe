"""Real OpenSSH servers on loopback: own address, own host key, own root of zsops each."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.polling import wait_until
from support.process import PROGRAMS, Program, run
from zsops.transport.known_hosts import server_name
from zsops.transport.local import LocalTransport

#: sshd starts itself again for every connection, by its full path.
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
SetEnv ZSOPS_ROOT={root} HOME={home} PATH={path} {environment}
{more}
"""


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """A key pair without a passphrase."""
    path.unlink(missing_ok=True)
    done = run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", path])
    assert done.code == 0, done.stderr
    return path


def free_port(addresses: Sequence[str]) -> int:
    """A port that is free on all of `addresses` now."""
    for _ in range(50):
        with closing(socket.create_server((addresses[0], 0))) as probe:
            port: int = probe.getsockname()[1]
        try:
            for address in addresses:
                socket.create_server((address, port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("no port is free on all addresses")


@dataclass
class Server:
    """One sshd and the host behind it."""

    name: str
    address: str
    port: int
    home: Path
    more: str = ""
    environment: str = ""
    root: Path = field(init=False)
    program: Program | None = None

    def __post_init__(self) -> None:
        self.root = self.home / "r"
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def known_name(self) -> str:
        """What known_hosts calls it."""
        return server_name(self.address, self.port)

    @property
    def public_key(self) -> str:
        """Type and key, as known_hosts wants them."""
        return " ".join((self.home / "host_key.pub").read_text().split()[:2])

    def start(self) -> None:
        """Run sshd in the foreground of a process of ours."""
        assert SSHD is not None, "there is no sshd: see tests/tools/install"
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.home / "sshd_config"
        config.write_text(
            _CONFIG.format(
                port=self.port,
                address=self.address,
                home=self.home,
                root=self.root,
                path=f"{PROGRAMS}:/usr/bin:/bin",
                environment=self.environment,
                more=self.more,
            )
        )
        self.program = Program([SSHD, "-D", "-e", "-f", config], self.home / "sshd.log")
        self.program.wait_said("Server listening")

    def send(self, number: signal.Signals) -> None:
        """Signal the listening sshd; the sessions' own processes are other ones."""
        assert self.program is not None
        self.program.send(number)

    def session_pids(self) -> list[int]:
        """The processes of sshd that carry connections now."""
        assert self.program is not None
        return _descendants(self.program.pid)

    def close(self) -> None:
        """Stop sshd, its connections, and what runs on the host."""
        if self.program is not None:
            for pid in [*self.session_pids(), self.program.pid]:
                _end(pid)
            self.program.kill()
            self.program = None
        instances = self.root / "i"
        if instances.is_dir():
            with LocalTransport(self.root).connect() as session:
                for each in sorted(instances.iterdir()):
                    session.stop_daemon(each.name)


def _descendants(pid: int) -> list[int]:
    """Children of `pid` that are sshd, and theirs; not what they started for a user."""
    found = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    for child in children:
        try:
            if Path(f"/proc/{child}/comm").read_text().strip() == "sshd":
                found += [int(child), *_descendants(int(child))]
        except OSError:
            continue
    return found


def _end(pid: int) -> None:
    for number in (signal.SIGCONT, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


@dataclass
class Farm:
    """Some servers that one operator's key opens, and the files that operator has."""

    home: Path
    servers: list[Server]
    identity: Path
    known_hosts: Path
    ssh_config: Path

    @property
    def port(self) -> int:
        """Of every sshd."""
        return self.servers[0].port

    def trust(self, *servers: Server) -> None:
        """Write known_hosts for these servers, or all."""
        lines = [f"{each.known_name} {each.public_key}\n" for each in servers or self.servers]
        self.known_hosts.write_text("".join(lines))


@contextmanager
def farm(
    count: int, *, first: int = 1, more: str = "", environment: str = "", network: str = "127.0.1"
) -> Iterator[Farm]:
    """`count` servers at `network`.`first`…; short paths, since a socket's name is limited."""
    home = Path(tempfile.mkdtemp(prefix="zsf-"))
    addresses = [f"{network}.{first + at}" for at in range(count)]
    port = free_port(addresses)
    identity = make_key(home / "id")
    servers = []
    for at, address in enumerate(addresses):
        server = Server(f"web{first + at}", address, port, home / str(first + at), more)
        server.environment = environment
        make_key(server.home / "host_key")
        shutil.copy(identity.with_suffix(".pub"), server.home / "authorized_keys")
        servers.append(server)
    config = home / "ssh_config"
    config.write_text(
        "Host *\n  ServerAliveInterval 1\n  ServerAliveCountMax 3\n  ConnectTimeout 5\n"
    )
    made = Farm(home, servers, identity, home / "known_hosts", config)
    try:
        for server in servers:
            server.start()
        made.trust()
        yield made
    finally:
        for server in servers:
            server.close()
        shutil.rmtree(home)


def wait_sessions(server: Server, count: int) -> None:
    """Until sshd carries `count` connections (two processes each where privileges are split)."""
    wait_until(lambda: (len(server.session_pids()) > 0) == (count > 0), what="the connections")
