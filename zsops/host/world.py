"""The world outside the protocol, as the interfaces its effects are performed on.

Two sets of implementations exist: this machine's (`disk.py`, `daemon.py`, `machine.py`) and one in
memory (`zsops/transport/memory.py`); the contract tests hold both to the same behaviour.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from zsops.frozen import frozen, hidden
from zsops.host.extents import Extent
from zsops.host.messages import (
    CertificateFacts,
    DaemonState,
    EchFacts,
    HostedMember,
    StepEvent,
)

if TYPE_CHECKING:
    from zeroserve.pack.member_index import MemberIndex


class Disk(Protocol):
    """The file primitives. Each is one atomic step for `kill -9`; only `fsync` survives power loss.

    All raise `OSError` (ENOSPC among them) and change nothing when they do.
    """

    def read(self, path: str) -> bytes | None: ...
    def read_at(self, path: str, offset: int, size: int) -> bytes: ...
    def read_link(self, path: str) -> str | None: ...
    def list_dir(self, path: str) -> tuple[str, ...]: ...
    def size(self, path: str) -> int | None: ...
    def sha256(self, path: str) -> str | None: ...
    def free_bytes(self) -> int: ...
    def write(self, path: str, data: bytes, mode: int) -> None: ...
    def write_at(self, path: str, offset: int, data: bytes) -> None: ...
    def allocate(self, path: str, size: int) -> None: ...
    def chmod(self, path: str, mode: int) -> None: ...
    def fsync(self, path: str) -> None: ...
    def mkdir(self, path: str) -> None: ...
    def symlink(self, target: str, path: str) -> None: ...
    def rename(self, source: str, path: str) -> None: ...
    def link(self, source: str, path: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def rmdir(self, path: str) -> None: ...


@frozen
class ReloadAnswer:
    """What the daemon said to a reload; `running` false means there was nobody to ask."""

    running: bool
    ok: bool
    generation: int | None = None
    release_digest: str | None = None
    error: str | None = None


@frozen
class Started:
    """`fresh`: it was not running before. `error`: it could not be started, in its own words."""

    fresh: bool
    error: str | None = None


@frozen
class Target:
    """Where and as whom to connect for a probe. `anchors`: certificate files trusted, for
    https.

    `kept`: over the connection of the question before, where it still stands. `http2`: over a new
    one on which HTTP/2 is agreed; only for https.
    """

    scheme: str
    address: str
    name: str
    anchors: tuple[str, ...]
    kept: bool = False
    http2: bool = False


@frozen
class Fetched:
    """An answer, or why there was none. `body` is at most the first 64 KiB; `sha256` covers all.

    `leaf`: SHA-256 of the certificate that was shown (bare hex), over TLS.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    sha256: str = ""
    error: str | None = None
    leaf: str = ""


class DaemonDoor(Protocol):
    """What the protocol may ask of an instance's daemon and supervisor. Waits are bounded."""

    def status(self, instance: str) -> DaemonState: ...
    def reload(self, instance: str, expect: str, timeout_s: float) -> ReloadAnswer: ...
    def ensure(self, instance: str, timeout_s: float) -> Started: ...
    def start_slot(self, instance: str, version: str | None, timeout_s: float) -> Started: ...
    def candidate(self, instance: str) -> DaemonState: ...
    def swap(self, instance: str, drain_s: float, timeout_s: float) -> str | None: ...
    def keep(self, instance: str, timeout_s: float) -> str | None: ...
    def drop(self, instance: str, timeout_s: float) -> None: ...
    def stop(self, instance: str) -> bool: ...
    def running_programs(self) -> frozenset[str] | None: ...
    def arm(self, instance: str, journal_seq: int, timeout_s: float) -> bool: ...
    def fetch(self, target: Target, path: str, timeout_s: float) -> Fetched: ...


class Clock(Protocol):
    """Time. `now` never jumps and counts time asleep; it means nothing after a reboot."""

    def now(self) -> float: ...
    def wall(self) -> str: ...
    def boot_id(self) -> str: ...
    def sleep(self, seconds: float) -> None: ...


@frozen
class Secrets:
    """A certificate chain and its key, PEM; what the certificate says."""

    cert_pem: bytes
    facts: CertificateFacts
    key_pem: bytes = hidden()


@frozen
class PublicFacts:
    """What anybody may know of a release's material."""

    certificate: CertificateFacts | None = None
    further: tuple[CertificateFacts, ...] = ()
    ech: tuple[EchFacts, ...] = ()


@frozen
class About:
    """The machine: who we are on it, and what it runs."""

    user: str
    kernel: str
    systemd: bool


class Tools(Protocol):
    """The parts of `zeroserve` (and the host's facts) the protocol builds on."""

    def findings(self, path: str, *, tls: bool) -> tuple[str, ...]: ...
    def members(self, tar: str) -> tuple[str, tuple[HostedMember, ...]]: ...
    def index(self, tar: str) -> MemberIndex: ...
    def extents(self, tar: str) -> tuple[Extent, ...]: ...
    def certificate(self, names: tuple[str, ...]) -> Secrets: ...
    def secret(self) -> str: ...
    def identity(self) -> bytes: ...
    def recipients(self, identity: bytes) -> tuple[str, ...]: ...
    def unseal(self, identity: bytes, sealed: bytes) -> bytes: ...
    def public_facts(
        self, cert_pem: bytes, ech_pems: tuple[bytes, ...], further: tuple[tuple[str, bytes], ...]
    ) -> PublicFacts: ...
    def process_alive(self, pid: int, started: int) -> bool: ...
    def about(self) -> About: ...
    def install_program(self, wheel: str, home: str, version: str) -> None: ...


class World(Protocol):
    """Everything outside the protocol."""

    @property
    def disk(self) -> Disk: ...
    @property
    def daemon(self) -> DaemonDoor: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def tools(self) -> Tools: ...
    def exclusive(self) -> AbstractContextManager[None]: ...
    def tell(self, event: StepEvent) -> None: ...
    def next_chunk(self) -> bytes: ...
    def tell_offset(self, offset: int, missing: tuple[tuple[int, int], ...]) -> None: ...
