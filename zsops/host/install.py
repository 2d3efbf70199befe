"""Install: an instance with a release 000000, so that every later path has a place to go back to.

The journal is written last and makes the instance exist; every step before it can be repeated.
"""

from __future__ import annotations

import hashlib
import json
import re

from zsops.errors import BadRequest
from zsops.host import audit, health, journal, layout, material, placeholder, secrets, store
from zsops.host.codec import to_json
from zsops.host.effects import (
    BootId,
    Chmod,
    DaemonStatus,
    FileSize,
    Fsync,
    MakeDir,
    ReadMembers,
    Rename,
    Steps,
    Unlink,
    WriteFile,
    do,
    make_dir_durably,
    write_durably,
)
from zsops.host.journal import State
from zsops.host.layout import InstancePaths
from zsops.host.messages import Install, Installed, InstanceSettings, Phase

_NAMES_MAX = 1000
#: A host name, one of its wildcards, or an address.
_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}|::[0-9a-f:.]*")
_LOG_FORMATS = ("common", "combined", "json", "off")


def install(request: Install) -> Steps[Installed]:
    """Make the instance, or bring the settings of one that exists up to date."""
    paths = InstancePaths(request.instance)
    check_settings(request.settings)
    encoded = json.dumps(to_json(request.settings), indent=1).encode()
    if (yield from journal.peek(paths)) is not None:
        before = yield from health.settings(paths)
        if before == request.settings:
            return Installed(paths.name, changed=False, restart_needed=False)
        yield from write_durably(paths.settings, encoded)
        yield from secrets.refresh(paths, request.settings.names)
        yield from audit.record("settings-changed", instance=paths.name)
        running = (yield from do(DaemonStatus(paths.name))).running
        return Installed(paths.name, changed=True, restart_needed=running)
    yield from _directories(paths)
    yield from write_durably(paths.settings, encoded)
    yield from secrets.make_probe_secret(paths)
    release = yield from _placeholder(paths, request.settings.names)
    yield from store.switch(paths, release, paths.prev_link)
    yield from audit.make_room()
    yield from _first_journal(paths, release)
    return Installed(paths.name, changed=True, restart_needed=False)


def check_settings(settings: InstanceSettings) -> None:
    """`BadRequest` for settings that no daemon could be started with, or that mean something else
    to it than they seem to."""
    if not settings.names:
        raise BadRequest("an instance needs at least one name")
    if not settings.tls_addresses and not settings.addresses:
        raise BadRequest("an instance needs at least one address to listen on")
    if len(settings.names) > _NAMES_MAX or not all(map(_NAME.fullmatch, settings.names)):
        raise BadRequest(f"an instance has up to {_NAMES_MAX} host names and addresses")
    if settings.log_format not in _LOG_FORMATS:
        raise BadRequest(f"no log format `{settings.log_format}`: {', '.join(_LOG_FORMATS)}")
    from zeroserve.config.address import parse_address  # sessions that install nothing do without
    from zeroserve.errors import ZeroserveError

    for address in (*settings.tls_addresses, *settings.addresses):
        try:
            kind = parse_address(address, "https").kind
        except ZeroserveError as error:
            raise BadRequest(error.message, hint=error.hint) from error
        if kind != "tcp":  # a path would be made there, by the user that runs the daemon
            raise BadRequest(f"an instance listens on `ip:port`, not on `{address}`")


def _directories(paths: InstancePaths) -> Steps[None]:
    shared = ("blobs", layout.BLOBS, layout.INCOMING, layout.INSTANCES)
    own = (paths.home, paths.releases, paths.secrets, paths.log, paths.run)
    for path in (*shared, *own):
        yield from make_dir_durably(path)


def _placeholder(paths: InstancePaths, names: tuple[str, ...]) -> Steps[str]:
    content = placeholder.tar()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blob = layout.blob(digest)
    if (yield from do(FileSize(blob))) is None:
        part = layout.part(digest)
        yield from do(Unlink(part))
        yield from do(WriteFile(part, content))
        yield from do(Fsync(part))
        yield from keep_part(digest)
    site_digest, _ = yield from do(ReadMembers(blob))
    tar = store.Bytes(digest, site_digest, len(content))
    origin = store.Origin(why="placeholder")
    made = yield from store.build(paths, 0, tar, origin, material.Own(), names, None)
    return made.release


def keep_part(digest: str) -> Steps[None]:
    """Move a whole, synced upload to its place among the blobs."""
    part, blob = layout.part(digest), layout.blob(digest)
    yield from do(Chmod(part, 0o440))
    shelf = blob.rpartition("/")[0]
    yield from do(MakeDir(shelf))
    yield from do(Fsync(layout.BLOBS))
    yield from do(Rename(part, blob))
    yield from do(Fsync(shelf))
    yield from do(Fsync(layout.INCOMING))


def _first_journal(paths: InstancePaths, release: str) -> Steps[None]:
    state = State(
        seq=1,
        phase=Phase.IDLE,
        prev=release,
        next=None,
        last_good=release,
        serial=0,
        token=0,
        boot_id=(yield from do(BootId())),
        deadline=None,
        window_s=0.0,
        who="",
        why="",
        event="installed",
        detail="",
    )
    yield from write_durably(paths.journal, journal.first(state), 0o600)
    yield from journal.write_line(paths, state, "")
