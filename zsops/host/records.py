"""Run records: who supervises an instance, what its daemon is, which deadline was taken over.

Small JSON files in `run/`, replaced by rename and never synced: nothing in them outlives a boot.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import TypeVar

from zsops.errors import ProtocolMismatch, UnsafeDirectory
from zsops.frozen import frozen
from zsops.host.codec import from_json, to_json
from zsops.host.layout import InstancePaths
from zsops.process import Identity

T = TypeVar("T")
# A unix socket's path must fit into 108 bytes; deep roots get a short one elsewhere.
_SOCKET_PATH_BYTES_MAX = 100
_SHORT = Path("/tmp")  # noqa: S108 - what lies there is looked at before it is used
_IN_PLACE_BYTES = 192
#: Daemons of one instance that run side by side: one serves, one may be about to, one may drain.
SLOTS = ("a", "b", "c")
FIRST_SLOT = SLOTS[0]


@frozen
class Supervisor:
    """`supervise.json`."""

    pid: int
    started: int
    boot_id: str

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)


@frozen
class Settled:
    """`settled.json`: whoever has a supervisor started holds the host's lock, and has recovered
    what there was to; the supervisor takes it away. Waiting for that lock it would wait for us."""

    pid: int
    started: int

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)


@frozen
class Daemon:
    """`daemon.json`: the daemon that serves; `candidate.json`: one that is to take over from it."""

    pid: int
    started: int
    boot_id: str
    slot: str = FIRST_SLOT

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)


@frozen
class LeavingDaemon:
    """`leaving-SLOT.json`: a daemon that drains, until `until` on `Clock.now`."""

    pid: int
    started: int
    boot_id: str
    slot: str
    until: float

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.started)


@frozen
class SlotWish:
    """`slot-wish.json`: what a request asks of the supervisor about the other slot;
    `probation.json`: the swap that nobody has kept yet.

    `action`: `start` a candidate of `version` (None: of this installation), have it take over
    (`swap`), `keep` it then, or `drop` it. When the process that asked dies before that, the
    candidate ends, or the chosen version takes over again.
    """

    id: str
    action: str
    owner: int
    owner_started: int
    version: str | None = None
    drain_s: float = 0.0


@frozen
class SlotAnswer:
    """`slot-answer.json`: the wish is done; `error`: it is not, or its candidate has ended."""

    id: str
    error: str | None = None


@frozen
class Armed:
    """`armed.json`: the newest journal entry whose deadline the supervisor keeps."""

    seq: int
    pid: int


@frozen
class Failure:
    """`failure.json`: the daemon ended by itself, or did not start; `way-back.json`: the chosen
    version could not take over again. `times`: in a row. `at` and `next_at` are on `Clock.now`.
    """

    error: str
    at: float
    times: int = 1
    next_at: float = 0.0


def _refuse_foreign(home: Path) -> None:
    """Anybody may make names below `_SHORT`: what lies there must be a directory, ours, and closed
    to others. Once it is, nobody else can replace it, for that place is sticky.
    """
    try:
        facts = home.lstat()
    except FileNotFoundError:
        return
    problem = None
    if not stat.S_ISDIR(facts.st_mode):
        problem = "is no directory"
    elif facts.st_uid != os.geteuid():
        problem = f"belongs to uid {facts.st_uid}, not to us ({os.geteuid()})"
    elif facts.st_mode & 0o077:
        problem = f"is open to others (mode {stat.S_IMODE(facts.st_mode):04o})"
    if problem is not None:
        raise UnsafeDirectory(
            f"the directory of sockets `{home}` {problem}: who made it could answer for the daemon",
            hint="remove it, or choose a shorter path for the host's root: then none is needed",
        )


class RunRecords:
    """The records of one instance."""

    def __init__(self, root: Path, instance: str) -> None:
        self.paths = InstancePaths(instance)
        self.root = root
        self.home = root / self.paths.run

    @property
    def socket(self) -> Path:
        """The control socket of the daemon that serves."""
        record = self.load(Daemon, "daemon.json")
        return self.control(FIRST_SLOT if record is None else record.slot)

    def control(self, slot: str) -> Path:
        """The control socket of a slot's daemon."""
        return self._socket("control.sock" if slot == FIRST_SLOT else f"control-{slot}.sock")

    def door(self, slot: str) -> Path:
        """Where one daemon is asked when two accept from the same listeners."""
        return self._socket(f"door-{slot}.sock")

    def _socket(self, name: str) -> Path:
        usual = self.home / name
        if len(os.fsencode(usual)) <= _SOCKET_PATH_BYTES_MAX:
            return usual
        word = hashlib.sha256(os.fsencode(usual)).hexdigest()[:16]
        # Whatever TMPDIR says: supervisor and session have to find the same place.
        home = _SHORT / f"zsops-{os.geteuid()}"
        _refuse_foreign(home)
        return home / f"{word}.sock"

    def make_room_for_sockets(self, slot: str) -> None:
        """Have the directory of the slot's sockets. Raises UnsafeDirectory, OSError."""
        for path in (self.control(slot), self.door(slot)):
            path.parent.mkdir(mode=0o700, exist_ok=True)
        self.control(slot)  # looks at what has been made, or was there

    def load(self, kind: type[T], name: str) -> T | None:
        """A record, or None when it is absent or from another version."""
        try:
            return from_json(kind, json.loads((self.home / name).read_bytes()))
        except (OSError, ValueError, ProtocolMismatch):
            return None

    def save(self, record: object, name: str) -> None:
        """Replace a record."""
        fresh = self.home / f".{name}.{os.getpid()}"
        fresh.write_text(json.dumps(to_json(record)))
        fresh.replace(self.home / name)

    def save_in_place(self, record: object, name: str) -> None:
        """Overwrite a record of constant size: once it is there this needs no free space.

        A reader in the middle of it finds no record, and looks again.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self.home / name, flags, 0o640)
        try:
            os.pwrite(handle, json.dumps(to_json(record)).encode().ljust(_IN_PLACE_BYTES), 0)
        finally:
            os.close(handle)

    def drop(self, name: str) -> None:
        """Remove a record."""
        (self.home / name).unlink(missing_ok=True)

    def supervisor(self) -> Supervisor | None:
        """The live supervisor, if any."""
        record = self.load(Supervisor, "supervise.json")
        return record if record is not None and record.identity.is_alive() else None
