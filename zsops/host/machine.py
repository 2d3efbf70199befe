"""This machine as a `World`: real disk, clock, daemon, lock, and the parts of zeroserve we use."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zsops.errors import LeaseHeld, ReleaseRefused
from zsops.host import layout
from zsops.host.daemon import LocalDaemon
from zsops.host.disk import RealDisk
from zsops.host.extents import Extent, read_extents
from zsops.host.messages import CertificateFacts, HostedMember, StepEvent
from zsops.host.seal import make_identity, public_facts, recipients_of, unseal
from zsops.host.world import About, DaemonDoor, PublicFacts, Secrets
from zsops.process import Identity

if TYPE_CHECKING:
    from zeroserve.pack.member_index import MemberIndex

# Longest that one request may hold the host: reload, start and health timeouts, plus spare.
_LOCK_PATIENCE_S = 120.0
_LOCK_POLL_S = 0.05


class RealClock:
    """`CLOCK_BOOTTIME`: counts sleep, never jumps, the same for all processes of a boot."""

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> str:
        from datetime import UTC, datetime

        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def boot_id(self) -> str:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def tar_index(tar: Path) -> MemberIndex:
    """A tar's member index; `ReleaseRefused` when it has none."""
    from zeroserve.errors import ZeroserveError
    from zeroserve.pack.member_index import read_index

    try:
        return read_index(tar)
    except ZeroserveError as error:
        raise ReleaseRefused(f"the tar cannot be used: {error.message}", hint=error.hint) from error


def read_members(tar: Path) -> tuple[str, tuple[HostedMember, ...]]:
    """Site digest and members from a tar's member index; `ReleaseRefused` when it has none."""
    index = tar_index(tar)
    members = (HostedMember(m.path, m.size, m.sha256.hex()) for m in index.members)
    return index.site_digest, tuple(members)


def tar_extents(tar: Path) -> tuple[Extent, ...]:
    """The pieces of a tar, from its member index; none when it has no usable one."""
    from zeroserve.errors import ZeroserveError
    from zeroserve.pack.member_index import read_index

    try:
        members = [(each.offset, each.size) for each in read_index(tar).members]
        with tar.open("rb") as file:
            return read_extents(file, members, tar.stat().st_size)
    except (OSError, ZeroserveError):
        return ()


def check_release(path: Path, *, tls: bool = True) -> tuple[str, ...]:
    """What a start would refuse there, one line each."""
    from zeroserve.check import check_path

    return tuple(finding.text for finding in check_path(path, tls=tls) if finding.is_error)


def make_certificate(names: tuple[str, ...]) -> Secrets:
    """A self-signed development certificate."""
    from zeroserve.tls.self_signed import make_dev_certificate

    made = make_dev_certificate(names)
    return Secrets(
        made.cert_pem,
        CertificateFacts(
            leaf=made.leaf,
            names=made.names,
            issuer=made.issuer,
            not_before=made.not_before.isoformat(),
            not_after=made.not_after.isoformat(),
        ),
        made.key_pem,
    )


def ssh_host_key() -> Path:
    """The machine's own SSH key: an identity for age where we may read it."""
    return Path(os.environ.get("ZSOPS_SSH_HOST_KEY") or "/etc/ssh/ssh_host_ed25519_key")


class RealTools:
    """`Tools` by zeroserve's own code. Imports are lazy: most requests need none of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def findings(self, path: str, *, tls: bool) -> tuple[str, ...]:
        return check_release(self._root / path, tls=tls)

    def members(self, tar: str) -> tuple[str, tuple[HostedMember, ...]]:
        return read_members(self._root / tar)

    def index(self, tar: str) -> MemberIndex:
        return tar_index(self._root / tar)

    def extents(self, tar: str) -> tuple[Extent, ...]:
        return tar_extents(self._root / tar)

    def certificate(self, names: tuple[str, ...]) -> Secrets:
        return make_certificate(names)

    def secret(self) -> str:
        from secrets import token_urlsafe

        return token_urlsafe(24)

    def identity(self) -> bytes:
        return make_identity()

    def recipients(self, identity: bytes) -> tuple[str, ...]:
        return recipients_of(identity, ssh_key=ssh_host_key())

    def unseal(self, identity: bytes, sealed: bytes) -> bytes:
        return unseal(identity, sealed, ssh_key=ssh_host_key())

    def public_facts(
        self, cert_pem: bytes, ech_pems: tuple[bytes, ...], further: tuple[tuple[str, bytes], ...]
    ) -> PublicFacts:
        return public_facts(cert_pem, ech_pems, further)

    def process_alive(self, pid: int, started: int) -> bool:
        return Identity(pid, started).is_alive()

    def about(self) -> About:
        import getpass

        try:
            user = getpass.getuser()
        except (OSError, KeyError):  # a uid without a passwd entry
            user = f"uid{os.getuid()}"
        system = os.uname()
        return About(
            user, f"{system.sysname} {system.release}", Path("/run/systemd/system").is_dir()
        )

    def install_program(self, wheel: str, home: str, version: str) -> None:
        from zsops.host.wheel import install

        install(self._root / wheel, self._root / home, version)


def _no_chunk() -> bytes:
    return b""


class Machine:
    """The real world below one root. A session plugs in `on_event`, `on_offset` and `chunks`."""

    def __init__(self, root: Path, *, daemon: DaemonDoor | None = None) -> None:
        self.root = root
        self.disk = RealDisk(root)
        self.clock = RealClock()
        self.daemon: DaemonDoor = LocalDaemon(root) if daemon is None else daemon
        self.tools = RealTools(root)
        self.on_event: Callable[[StepEvent], None] | None = None
        self.on_offset: Callable[[int, tuple[tuple[int, int], ...]], None] | None = None
        self.chunks: Callable[[], bytes] = _no_chunk

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The host's flock: one changing request at a time; the kernel drops it when we die."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self.root / layout.LOCK, flags, 0o640)
        try:
            end = time.monotonic() + _LOCK_PATIENCE_S
            while not _try_lock(handle):
                if time.monotonic() >= end:
                    raise LeaseHeld(
                        f"another request has been running on the host for {_LOCK_PATIENCE_S:g} s",
                        hint="see which `zsops-host` hangs there",
                    )
                time.sleep(_LOCK_POLL_S)
            yield
        finally:
            os.close(handle)

    def tell(self, event: StepEvent) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def next_chunk(self) -> bytes:
        return self.chunks()

    def tell_offset(self, offset: int, missing: tuple[tuple[int, int], ...]) -> None:
        if self.on_offset is not None:
            self.on_offset(offset, missing)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
