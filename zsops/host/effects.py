"""Effects: everything the protocol may do to the world, as values.

The protocol is a set of generators that yield these and never touch a file, a clock or a process
themselves; `drive` performs them one by one on a `World`. Effects that change something say so in
`mutates`: between any two of those the process may die, and the crash tests let it.

Paths are relative to the host's root, with `/`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import ClassVar, Generic, TypeAlias, TypeVar, cast

from zsops.errors import HostError
from zsops.frozen import frozen, hidden
from zsops.host.extents import Extent
from zsops.host.messages import DaemonState, HostedMember, StepEvent
from zsops.host.world import About, Fetched, ReloadAnswer, Secrets, Started, Target, World

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# -- driving -------------------------------------------------------------


class Effect(Generic[T_co]):
    """One thing to do. `perform` does it and gives its result; errors go back to the protocol."""

    mutates: ClassVar[bool] = False

    def perform(self, world: World) -> T_co:
        raise TypeError(f"{type(self).__name__} cannot be performed")


Steps: TypeAlias = Generator[Effect[object], object, T]


def do(effect: Effect[T]) -> Steps[T]:
    """Yield one effect and have its result, typed: `x = yield from do(ReadFile(p))`."""
    return cast("T", (yield effect))


def drive(
    steps: Steps[T], world: World, after: Callable[[Effect[object]], None] | None = None
) -> T:
    """Perform the effects of `steps`; `after` runs behind each one that changed something."""
    answer: object = None
    fault: Exception | None = None
    while True:
        try:
            effect = steps.send(answer) if fault is None else steps.throw(fault)
        except StopIteration as end:
            return cast("T", end.value)
        answer, fault = None, None
        try:
            answer = effect.perform(world)
        except (OSError, HostError) as error:
            fault = error
        if after is not None and effect.mutates:
            after(effect)


# -- reading -------------------------------------------------------------


@frozen
class ReadFile(Effect[bytes | None]):
    path: str

    def perform(self, world: World) -> bytes | None:
        return world.disk.read(self.path)


@frozen
class ReadLink(Effect[str | None]):
    path: str

    def perform(self, world: World) -> str | None:
        return world.disk.read_link(self.path)


@frozen
class ListDir(Effect[tuple[str, ...]]):
    """Sorted names; empty for a directory that does not exist."""

    path: str

    def perform(self, world: World) -> tuple[str, ...]:
        return world.disk.list_dir(self.path)


@frozen
class FileSize(Effect[int | None]):
    path: str

    def perform(self, world: World) -> int | None:
        return world.disk.size(self.path)


@frozen
class HashFile(Effect[str | None]):
    path: str

    def perform(self, world: World) -> str | None:
        return world.disk.sha256(self.path)


@frozen
class ReadRange(Effect[bytes]):
    """Bytes of a file; fewer where it ends."""

    path: str
    offset: int
    size: int

    def perform(self, world: World) -> bytes:
        return world.disk.read_at(self.path, self.offset, self.size)


@frozen
class ReadExtents(Effect[tuple[Extent, ...]]):
    """The pieces of a kept tar; none of one that cannot be read."""

    tar: str

    def perform(self, world: World) -> tuple[Extent, ...]:
        return world.tools.extents(self.tar)


@frozen
class FreeBytes(Effect[int]):
    def perform(self, world: World) -> int:
        return world.disk.free_bytes()


@frozen
class Now(Effect[float]):
    def perform(self, world: World) -> float:
        return world.clock.now()


@frozen
class WallTime(Effect[str]):
    def perform(self, world: World) -> str:
        return world.clock.wall()


@frozen
class BootId(Effect[str]):
    def perform(self, world: World) -> str:
        return world.clock.boot_id()


@frozen
class Sleep(Effect[None]):
    seconds: float

    def perform(self, world: World) -> None:
        world.clock.sleep(self.seconds)


@frozen
class CheckRelease(Effect[tuple[str, ...]]):
    """What a start would refuse in the release directory; empty is good.

    `tls`: certificate and keys, too; not for those that are in service.
    """

    path: str
    tls: bool = True

    def perform(self, world: World) -> tuple[str, ...]:
        return world.tools.findings(self.path, tls=self.tls)


@frozen
class ReadMembers(Effect[tuple[str, tuple[HostedMember, ...]]]):
    """Site digest and members of a tar, from its member index."""

    tar: str

    def perform(self, world: World) -> tuple[str, tuple[HostedMember, ...]]:
        return world.tools.members(self.tar)


@frozen
class MakeCertificate(Effect[Secrets]):
    names: tuple[str, ...]

    def perform(self, world: World) -> Secrets:
        return world.tools.certificate(self.names)


@frozen
class MakeSecret(Effect[str]):
    """A fresh random word for the probe path."""

    def perform(self, world: World) -> str:
        return world.tools.secret()


@frozen
class ProcessAlive(Effect[bool]):
    pid: int
    started: int

    def perform(self, world: World) -> bool:
        return world.tools.process_alive(self.pid, self.started)


@frozen
class AboutMachine(Effect[About]):
    def perform(self, world: World) -> About:
        return world.tools.about()


@frozen
class NextChunk(Effect[bytes]):
    """The next bytes of the upload; empty at its end."""

    def perform(self, world: World) -> bytes:
        return world.next_chunk()


@frozen
class TellOffset(Effect[None]):
    """Tell the sender how much is here, and which (offset, size) stretches it has to send."""

    offset: int
    missing: tuple[tuple[int, int], ...]

    def perform(self, world: World) -> None:
        world.tell_offset(self.offset, self.missing)


@frozen
class Tell(Effect[None]):
    event: StepEvent

    def perform(self, world: World) -> None:
        world.tell(self.event)


# -- files -------------------------------------------------------------


@frozen
class WriteFile(Effect[None]):
    """Create the file anew (it must not exist, or be one of our `.tmp` names).

    `data` may be a key: it is not shown, not even in the description of a fault.
    """

    path: str
    data: bytes = hidden()
    mode: int = 0o640
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.write(self.path, self.data, self.mode)


@frozen
class WriteAt(Effect[None]):
    path: str
    offset: int
    data: bytes
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.write_at(self.path, self.offset, self.data)


@frozen
class WriteJournal(Effect[None]):
    """Overwrite one slot of an instance's journal; durable only after its `Fsync`."""

    path: str
    offset: int
    data: bytes
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.write_at(self.path, self.offset, self.data)


@frozen
class Allocate(Effect[None]):
    """Reserve space, so that later writes below `size` cannot meet a full disk."""

    path: str
    size: int
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.allocate(self.path, self.size)


@frozen
class Chmod(Effect[None]):
    path: str
    mode: int
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.chmod(self.path, self.mode)


@frozen
class Fsync(Effect[None]):
    """Make a file's bytes, or a directory's entries, survive power loss."""

    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.fsync(self.path)


@frozen
class MakeDir(Effect[None]):
    """No error when it exists."""

    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.mkdir(self.path)


@frozen
class Symlink(Effect[None]):
    target: str
    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.symlink(self.target, self.path)


@frozen
class Rename(Effect[None]):
    """Replaces `path` in one step."""

    source: str
    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.rename(self.source, self.path)


@frozen
class HardLink(Effect[None]):
    source: str
    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.link(self.source, self.path)


@frozen
class Unlink(Effect[None]):
    """No error when it does not exist."""

    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.unlink(self.path)


@frozen
class RemoveDir(Effect[None]):
    """No error when it does not exist; it must be empty."""

    path: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.disk.rmdir(self.path)


@frozen
class InstallProgram(Effect[None]):
    """Make `home` afresh a virtual environment with this wheel, see that it runs, and sync it."""

    wheel: str
    home: str
    version: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.tools.install_program(self.wheel, self.home, self.version)


# -- the daemon -------------------------------------------------------------


@frozen
class DaemonStatus(Effect[DaemonState]):
    instance: str

    def perform(self, world: World) -> DaemonState:
        return world.daemon.status(self.instance)


@frozen
class RunningPrograms(Effect[frozenset[str] | None]):
    """Versions below `PROGRAMS` that any process of this machine runs; None: nobody can tell."""

    def perform(self, world: World) -> frozenset[str] | None:
        return world.daemon.running_programs()


@frozen
class Reload(Effect[ReloadAnswer]):
    """Have the daemon load `current`; it swaps only when that is the release `expect`."""

    instance: str
    expect: str
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> ReloadAnswer:
        return world.daemon.reload(self.instance, self.expect, self.timeout_s)


@frozen
class EnsureDaemon(Effect[Started]):
    """Start supervisor and daemon unless they run, and wait until it answers."""

    instance: str
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> Started:
        return world.daemon.ensure(self.instance, self.timeout_s)


@frozen
class StartSlot(Effect[Started]):
    """Start a second daemon of `version` (None: the installation's) beside the one that serves.

    It accepts from the same sockets at once. When we die before its swap it is ended.
    """

    instance: str
    version: str | None
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> Started:
        return world.daemon.start_slot(self.instance, self.version, self.timeout_s)


@frozen
class CandidateStatus(Effect[DaemonState]):
    """The second daemon; its one listener is the door where nobody else answers."""

    instance: str

    def perform(self, world: World) -> DaemonState:
        return world.daemon.candidate(self.instance)


@frozen
class SwapSlot(Effect[str | None]):
    """The second daemon is the one from now on, the first gets `drain_s`; why not, otherwise.

    When we die before it is kept, the chosen version takes over again.
    """

    instance: str
    drain_s: float
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> str | None:
        return world.daemon.swap(self.instance, self.drain_s, self.timeout_s)


@frozen
class KeepSlot(Effect[str | None]):
    """The daemon that took over stays, whatever becomes of us; why not, otherwise."""

    instance: str
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> str | None:
        return world.daemon.keep(self.instance, self.timeout_s)


@frozen
class DropSlot(Effect[None]):
    """End the second daemon; nothing happens when there is none."""

    instance: str
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> None:
        world.daemon.drop(self.instance, self.timeout_s)


@frozen
class StopDaemon(Effect[bool]):
    instance: str
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> bool:
        return world.daemon.stop(self.instance)


@frozen
class ArmTimer(Effect[bool]):
    """Have the supervisor see the journal's deadline; true once it acknowledged this `seq`."""

    instance: str
    journal_seq: int
    timeout_s: float
    mutates: ClassVar[bool] = True

    def perform(self, world: World) -> bool:
        return world.daemon.arm(self.instance, self.journal_seq, self.timeout_s)


@frozen
class Fetch(Effect[Fetched]):
    """One GET over a new connection; body compared by hash, certificate verified."""

    target: Target
    path: str
    timeout_s: float

    def perform(self, world: World) -> Fetched:
        return world.daemon.fetch(self.target, self.path, self.timeout_s)


# -- small compositions -------------------------------------------------------------


def write_durably(path: str, data: bytes, mode: int = 0o640) -> Steps[None]:
    """Replace a small file so that a reader, or a restart, finds the old bytes or the new."""
    fresh = f"{path}.tmp"
    yield from do(Unlink(fresh))
    yield from do(WriteFile(fresh, data, mode))
    yield from do(Fsync(fresh))
    yield from do(Rename(fresh, path))
    yield from do(Fsync(parent(path)))


def make_dir_durably(path: str) -> Steps[None]:
    """Make a directory (its parent exists) whose entry survives power loss."""
    yield from do(MakeDir(path))
    yield from do(Fsync(parent(path)))


def remove_tree(path: str) -> Steps[None]:
    """Remove a directory of plain files and directories, or a file."""
    for name in (yield from do(ListDir(path))):
        yield from remove_tree(f"{path}/{name}")
    if (yield from do(FileSize(path))) is not None or (yield from do(ReadLink(path))) is not None:
        yield from do(Unlink(path))
    else:
        yield from do(RemoveDir(path))


def parent(path: str) -> str:
    """The directory that holds `path`; `.` is the root."""
    return path.rpartition("/")[0] or "."
