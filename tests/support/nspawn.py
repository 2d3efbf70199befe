"""A whole Debian with systemd as PID 1 in a container: a host that boots, and that loses power."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.counterparts import DEBOOTSTRAP, NSPAWN, cache_directory, require
from support.polling import wait_until
from support.process import PROGRAMS, Finished, Program, run
from support.sshd import free_port, make_key

ADDRESS = "127.0.1.99"
USER = "zsops"
ROOT = "/var/lib/zsops"
_SUITE = "bookworm"
_PACKAGES = "systemd,systemd-sysv,dbus,openssh-server"
_SSHD = f"""\
ListenAddress {ADDRESS}
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


def _base() -> Path:
    """The tree that every host is a copy of; made once, which takes some minutes."""
    if os.getuid() != 0:
        pytest.skip("only root boots a container")
    tool = require(DEBOOTSTRAP)
    require(NSPAWN)
    place = cache_directory() / f"{_SUITE}-systemd"
    if (place / "made").exists():
        return place / "tree"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    # From wherever this machine's own packages come.
    found = run(["apt-get", "indextargets", "--format", "$(REPO_URI)"])
    mirrors = found.text.split()
    if not mirrors:
        pytest.skip("apt knows no mirror")
    more = ",python3" if sys.base_prefix == "/usr" else ""
    made = run(
        [tool, "--variant=minbase", f"--include={_PACKAGES}{more}", _SUITE, place / "tree",
         mirrors[0]],
        timeout_s=900,
    )  # fmt: skip
    assert made.code == 0, made.text[-2000:]
    (place / "made").touch()
    return place / "tree"


@dataclass
class Container:
    """One host. `tree` is its file system, seen from here."""

    tree: Path
    home: Path
    port: int
    identity: Path
    boots: int = 0
    _nspawn: Program | None = None
    known_hosts: Path = field(init=False)

    def __post_init__(self) -> None:
        self.known_hosts = self.home / "known_hosts"

    def boot(self) -> None:
        """Power on; returns once sshd answers."""
        self.boots += 1
        seen = _shared()
        argv = [
            require(NSPAWN), "--boot", "--directory", self.tree, "--register=no", "--keep-unit",
            "--console=pipe", "--link-journal=no", f"--machine=zsops-{os.getpid()}",
            *(f"--bind-ro={each}" for each in seen),
        ]  # fmt: skip
        self._nspawn = Program(argv, self.home / f"boot-{self.boots}.log")
        wait_until(self._answers, what="sshd in the container", timeout_s=120)

    @property
    def _leader(self) -> int:
        """The container's PID 1, as this machine counts; known once it has booted."""
        assert self._nspawn is not None
        pid = self._nspawn.pid
        (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(found)

    def _answers(self) -> bool:
        try:
            with closing(socket.create_connection((ADDRESS, self.port), 1)) as link:
                return link.recv(4) == b"SSH-"
        except OSError:
            return False

    def cut_power(self) -> None:
        """Everything in it is gone at once; files stay as the kernel has them."""
        assert self._nspawn is not None
        os.kill(self._leader, signal.SIGKILL)
        self._nspawn.wait()
        self._nspawn = None

    def inside(self, *argv: str | Path, timeout_s: float = 60) -> Finished:
        """Run a command in it, as root."""
        enter = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-p"]
        return run([*enter, *argv], timeout_s=timeout_s)

    def systemctl(self, *arguments: str) -> str:
        """Its answer; refusals fail the test."""
        done = self.inside("systemctl", "--no-pager", *arguments)
        assert done.code == 0, done.stderr
        return done.text.strip()

    def close(self) -> None:
        """Power off."""
        if self._nspawn is not None:
            self.cut_power()


def _shared() -> list[Path]:
    """What the host sees of this machine: the programs under test, and their interpreter."""
    base = Path(sys.base_prefix)
    return [Path(sys.prefix).parent, *([] if base == Path("/usr") else [base])]


def _prepare(tree: Path, home: Path, port: int) -> Path:
    """A login without rights of its own, and sshd; the operator's key."""
    for place in _shared():
        inside = tree / place.relative_to("/")
        inside.mkdir(parents=True, exist_ok=True)
        for each in inside.parents:
            if each != tree and tree in each.parents:
                each.chmod(each.stat().st_mode | 0o055)
    identity = make_key(home / "id")
    (tree / "etc/ssh/sshd_config").write_text(f"Port {port}\n{_SSHD}")
    shutil.copy(identity.with_suffix(".pub"), tree / "etc/ssh/authorized_keys")
    add: Sequence[str] = [
        "useradd",
        "--system",
        "--create-home",
        "--home-dir",
        ROOT,
        "-s",
        "/bin/sh",
    ]
    made = run(["chroot", tree, *add, USER])
    assert made.code == 0, made.stderr
    assert run(["chroot", tree, "usermod", "--password", "*", USER]).code == 0
    words = (tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (home / "known_hosts").write_text(f"[{ADDRESS}]:{port} {' '.join(words)}\n")
    (home / "ssh_config").write_text("Host *\n  ConnectTimeout 5\n")
    return identity


@contextmanager
def container(home: Path) -> Iterator[Container]:
    """A host that has booted once; nothing of it is left behind."""
    base = _base()
    assert (PROGRAMS / "zsops-host").exists()
    tree = home / "tree"
    copied = run(["cp", "-a", "--reflink=auto", base, tree], timeout_s=300)
    assert copied.code == 0, copied.stderr
    port = free_port([ADDRESS])
    made = Container(tree, home, port, _prepare(tree, home, port))
    try:
        made.boot()
        yield made
    finally:
        made.close()
        shutil.rmtree(tree)
