"""A host in memory for tests of whatever talks to hosts: the real protocol on a fake world.

Only the world is fake (files, time, daemon); requests run the same steps as on a real host, and
the contract tests hold this transport and `local` to the same answers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from zeroserve.pack.member_index import MemberIndex
from zsops.errors import HostUnreachable, LinkLost, ProgramRefused
from zsops.host import machine, seal, upkeep
from zsops.host import messages as m
from zsops.host.effects import Effect
from zsops.host.extents import Extent
from zsops.host.frames import CHUNK_BYTES
from zsops.host.service import HostService
from zsops.host.world import About, Disk, PublicFacts, Secrets
from zsops.transport.base import UploadProgress
from zsops.transport.memory_daemon import MemoryDaemon
from zsops.transport.memory_disk import MemoryDisk

Missing = tuple[tuple[int, int], ...]
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryClock:
    """Time that only moves when told, or slept through."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.boot = 1

    def now(self) -> float:
        return self.seconds

    def wall(self) -> str:
        at = _EPOCH + timedelta(seconds=self.seconds)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


_pair: list[Secrets] = []
_identity: list[bytes] = []


class MemoryTools:
    """`Tools`: zeroserve's own checks, on files written out for the moment of the check."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.dead_processes: set[int] = set()
        self.refuses_wheels: set[bytes] = set()

    def findings(self, path: str, *, tls: bool) -> tuple[str, ...]:
        with tempfile.TemporaryDirectory() as folder:
            self._write_out(path, Path(folder))
            return machine.check_release(Path(folder), tls=tls)

    def members(self, tar: str) -> tuple[str, tuple[m.HostedMember, ...]]:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(self._disk.read(tar) or b"")
            file.flush()
            return machine.read_members(Path(file.name))

    def index(self, tar: str) -> MemberIndex:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(self._disk.read(tar) or b"")
            file.flush()
            return machine.tar_index(Path(file.name))

    def extents(self, tar: str) -> tuple[Extent, ...]:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(self._disk.read(tar) or b"")
            file.flush()
            return machine.tar_extents(Path(file.name))

    def certificate(self, names: tuple[str, ...]) -> Secrets:
        if not _pair:
            _pair.append(machine.make_certificate(("localhost", "127.0.0.1")))
        del names
        return _pair[0]

    def secret(self) -> str:
        return "memory-probe-secret-000000"

    def identity(self) -> bytes:
        if not _identity:
            _identity.append(seal.make_identity())
        return _identity[0]

    def recipients(self, identity: bytes) -> tuple[str, ...]:
        return seal.recipients_of(identity, ssh_key=None)

    def unseal(self, identity: bytes, sealed: bytes) -> bytes:
        return seal.unseal(identity, sealed, ssh_key=None)

    def public_facts(
        self, cert_pem: bytes, ech_pems: tuple[bytes, ...], further: tuple[tuple[str, bytes], ...]
    ) -> PublicFacts:
        return seal.public_facts(cert_pem, ech_pems, further)

    def process_alive(self, pid: int, started: int) -> bool:
        del started
        return pid not in self.dead_processes

    def about(self) -> About:
        return About("nobody", "memory 1", systemd=False)

    def install_program(self, wheel: str, home: str, version: str) -> None:
        content = self._disk.read(wheel) or b""
        if content in self.refuses_wheels:
            raise ProgramRefused(f"version {version} does not run on this host: a fault")
        place = f"{home}/zeroserve"
        self._disk.unlink(place)
        self._disk.write(place, content, 0o750)
        self._disk.fsync(place)
        self._disk.fsync(home)

    def _write_out(self, path: str, place: Path) -> None:
        for name in self._disk.list_dir(path):
            data = self._disk.read(f"{path}/{name}")
            if data is None:
                (place / name).mkdir()
                self._write_out(f"{path}/{name}", place / name)
            else:
                (place / name).write_bytes(data)
                (place / name).chmod(0o600)


class MemoryWorld:
    """`World` in memory (or on the disk and daemon given)."""

    def __init__(self, disk: Disk | None = None, daemon: MemoryDaemon | None = None) -> None:
        self.disk: Disk = MemoryDisk() if disk is None else disk
        self.daemon = MemoryDaemon(self.disk) if daemon is None else daemon
        self.clock = MemoryClock()
        self.tools = MemoryTools(self.disk)
        self.events: list[m.StepEvent] = []
        self.chunks: Callable[[], bytes] = lambda: b""
        self.on_offset: Callable[[int, Missing], None] = lambda offset, missing: None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def tell(self, event: m.StepEvent) -> None:
        self.events.append(event)

    def next_chunk(self) -> bytes:
        return self.chunks()

    def tell_offset(self, offset: int, missing: Missing) -> None:
        self.on_offset(offset, missing)


class MemoryHost:
    """The host itself: its world, what time does to it, and ways to break it."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.disk = MemoryDisk()
        self.world = MemoryWorld(self.disk)
        self.reachable = True
        self.cut_upload_after: int | None = None  # bytes until the link breaks, once

    @property
    def daemon(self) -> MemoryDaemon:
        return self.world.daemon

    def service(self, after: Callable[[Effect[object]], None] | None = None) -> HostService:
        """The host's requests, without a session."""
        return HostService(self.world, f"memory:{self.name}", after)

    def advance(self, seconds: float) -> None:
        """Let time pass; supervisors restart dead daemons and keep their deadlines."""
        self.world.clock.seconds += seconds
        for instance in sorted(self.daemon.supervised):
            if instance not in self.daemon.running:
                self.daemon.ensure(instance, 0.0)
            self.service().expire(instance)

    def reboot(self) -> None:
        """Power off and on: unsynced bytes are lost, recovery runs, daemons start again."""
        supervised = sorted(self.daemon.supervised)
        self.daemon.power_off()
        self.disk.power_loss()
        self.world.clock.boot += 1
        self.world.clock.seconds = 10.0
        for instance in self.service().instances():
            self.service().recover(instance)
        for instance in supervised:
            self.daemon.ensure(instance, 0.0)


class MemorySession:
    """`HostSession` straight into the host's requests."""

    def __init__(self, host: MemoryHost) -> None:
        self._memory = host
        self._service = host.service()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        pass

    def _host(self) -> HostService:
        if not self._memory.reachable:
            raise LinkLost(f"the link to `{self._memory.name}` broke")
        return self._service

    def hello(self) -> m.Hello:
        return self._host().hello()

    def install(self, request: m.Install) -> m.Installed:
        return self._host().install(request)

    def observe(self, instance: str) -> m.Observation:
        return self._host().observe(instance)

    def members(self, instance: str, release: str) -> tuple[m.HostedMember, ...]:
        return self._host().members(instance, release)

    def take_lease(self, request: m.TakeLease) -> m.Lease:
        return self._host().take_lease(request)

    def release_lease(self, token: int) -> None:
        self._host().release_lease(token)

    def break_lease(self, who: str, why: str) -> m.Lease | None:
        return self._host().break_lease(who, why)

    def stage(
        self, request: m.Stage, tar: BinaryIO, progress: UploadProgress | None = None
    ) -> m.Staged:
        upload = _Upload(self._memory, request.size, tar, progress)
        self._memory.world.on_offset = upload.begin
        self._memory.world.chunks = upload.chunk
        return self._host().stage(request)

    def apply(self, request: m.Apply) -> Iterator[m.StepEvent]:
        return self._events(lambda: self._host().apply(request))

    def confirm(self, request: m.Confirm) -> m.Confirmed:
        return self._host().confirm(request)

    def revert(self, request: m.Revert) -> Iterator[m.StepEvent]:
        return self._events(lambda: self._host().revert(request))

    def prepare_rollback(self, request: m.PrepareRollback) -> m.RollbackStaged:
        return self._host().prepare_rollback(request)

    def prepare_rotation(self, request: m.PrepareRotation) -> m.Staged:
        return self._host().prepare_rotation(request)

    def recipients(self) -> tuple[str, ...]:
        return self._host().recipients()

    def history(self, instance: str, limit: int) -> tuple[m.AuditEntry, ...]:
        return self._host().history(instance, limit)

    def audit_verify(self) -> m.AuditReport:
        return self._host().audit_verify()

    def prune(self, request: m.Prune) -> m.Pruned:
        return self._host().prune(request)

    def pin(self, request: m.Pin) -> None:
        self._host().pin(request)

    def daemon_status(self, instance: str) -> m.DaemonState:
        return self._host().daemon_status(instance)

    def start_daemon(self, instance: str) -> m.DaemonState:
        return self._host().start_daemon(instance)

    def stop_daemon(self, instance: str) -> bool:
        return self._host().stop_daemon(instance)

    def stage_program(
        self, request: m.StageProgram, wheel: BinaryIO, progress: UploadProgress | None = None
    ) -> m.ProgramStaged:
        upload = _Upload(self._memory, request.size, wheel, progress)
        self._memory.world.on_offset = upload.begin
        self._memory.world.chunks = upload.chunk
        return self._host().stage_program(request)

    def upgrade(self, request: m.Upgrade) -> Iterator[m.StepEvent]:
        return self._events(lambda: self._host().upgrade(request))

    def facts(self) -> upkeep.HostFacts:
        return self._host().facts()

    def read_log(self, request: upkeep.ReadLog) -> upkeep.LogLines:
        return self._host().read_log(request)

    def evidence(self, instance: str) -> tuple[upkeep.Evidence, ...]:
        return self._host().evidence(instance)

    def hold(self, request: upkeep.Hold) -> upkeep.Held:
        return self._host().hold(request)

    def lift_hold(self, who: str, why: str) -> upkeep.Held | None:
        return self._host().lift_hold(who, why)

    def heal(self, request: upkeep.Heal) -> upkeep.Healed:
        return self._host().heal(request)

    def reload_daemon(self, instance: str) -> m.DaemonState:
        return self._host().reload_daemon(instance)

    def _events(self, run: Callable[[], m.Outcome]) -> Iterator[m.StepEvent]:
        """All events at the end of the run: nobody else moves meanwhile in a single thread."""
        self._memory.world.events = []
        run()
        yield from self._memory.world.events


class _Upload:
    """One upload, which the host may cut."""

    def __init__(
        self, host: MemoryHost, size: int, tar: BinaryIO, progress: UploadProgress | None
    ) -> None:
        self._host = host
        self._size = size
        self._tar = tar
        self._progress = progress
        self._here = 0  # bytes the host has, copied or sent
        self._left: list[tuple[int, int]] = []

    def begin(self, offset: int, missing: Missing) -> None:
        del offset
        self._left = list(missing)
        self._here = self._size - sum(size for _, size in missing)
        self._tell()

    def chunk(self) -> bytes:
        if not self._left:
            return b""
        offset, left = self._left.pop(0)
        size, cut = min(CHUNK_BYTES, left), self._host.cut_upload_after
        if cut is not None:
            size = min(size, cut - self._here)
            if size <= 0:
                self._host.cut_upload_after = None
                raise LinkLost(f"the link to `{self._host.name}` broke")
        self._tar.seek(offset)
        data = self._tar.read(size)
        if left > len(data):
            self._left.insert(0, (offset + len(data), left - len(data)))
        self._here += len(data)
        self._tell()
        return data

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._here, self._size)


class MemoryTransport:
    """`Transport` to a `MemoryHost`."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    @property
    def host(self) -> str:
        return self._host.name

    @property
    def may_stay(self) -> bool:
        return True

    def connect(self) -> MemorySession:
        if not self._host.reachable:
            raise HostUnreachable(f"`{self._host.name}` does not answer")
        return MemorySession(self._host)
