"""Rights: what one session may ask for, by how it came to be.

A session of the user who owns the host's state may do everything: that user has a shell anyway. Two
kinds may not. One that `authorized_keys` pins to some instances (`serve --instance`) deploys those
and ends nobody else's lease or hold. That one, and one that `sudo` started for somebody else, runs
no program of its own choice: whoever can have one run has a shell, or is root.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from zsops.errors import OutOfScope, UnsafeDirectory
from zsops.frozen import frozen
from zsops.host import calls
from zsops.host import messages as m
from zsops.host.install import check_settings
from zsops.host.service import HostService

_PINNED = "the host's `authorized_keys` pins this key to them; another key can"
_FOR_ALL = (calls.BREAK_LEASE.name, calls.HOLD.name, calls.LIFT_HOLD.name)
_ANY_HOST = ("::", "0.0.0.0")  # noqa: S104 - compared, not bound


@frozen
class Rights:
    """`instances`: the only ones it may name; empty: all. `programs`: it may bring and name them,
    and the daemon's flags."""

    instances: frozenset[str] = frozenset()
    programs: bool = True


def rights_of(instances: frozenset[str], environment: Mapping[str, str]) -> Rights:
    """Those of a session that is started like this."""
    # Set by sudo itself, whatever the login's environment holds.
    caller = environment.get("SUDO_UID")
    as_other = caller is not None and caller != str(os.geteuid())
    return Rights(instances, programs=not instances and not as_other)


def refuse_shared_root(root: Path) -> None:
    """Under sudo the caller may have named the root: state that others can write is no state of
    ours. Raises UnsafeDirectory.
    """
    place = root.resolve()
    for each in (place, *place.parents):
        facts = each.stat()
        mine = facts.st_uid == os.geteuid() or (each != place and facts.st_uid == 0)
        open_to_all = facts.st_mode & 0o022 and not (each != place and facts.st_mode & stat.S_ISVTX)
        if not mine or open_to_all:
            raise UnsafeDirectory(
                f"`{each}` can be changed by others (uid {facts.st_uid}, mode"
                f" {stat.S_IMODE(facts.st_mode):04o}), so `{root}` is not used under sudo",
                hint="let the sudoers rule name the root: `zsops-host serve --root /var/lib/zsops`",
            )


def refuse(rights: Rights, host: HostService, call: str, request: object) -> None:
    """Raises OutOfScope for what the session may not ask for."""
    if rights.instances:
        _refuse_foreign(rights.instances, host, call, request)
    if rights.programs:
        return
    if isinstance(request, m.Install) and _is_run(request.settings) != _is_run(
        host.settings(request.instance)
    ):
        raise OutOfScope(
            "this session may not name the program that is run, or its flags",
            hint="write them on the host: `zsops-host` there, by the user who owns its state",
        )
    if isinstance(request, m.StageProgram) and not host.may_have_program(request):
        raise OutOfScope(
            f"this session may not bring programs to the host ({request.digest})",
            hint="on the host, `zsops-host allow FILE` (or that digest) lets this one in",
        )


def _is_run(settings: m.InstanceSettings | None) -> tuple[tuple[str, ...], ...]:
    return ((), ()) if settings is None else (settings.program, settings.flags)


def _refuse_foreign(mine: frozenset[str], host: HostService, call: str, request: object) -> None:
    named = getattr(request, "instance", None)
    if call in _FOR_ALL or (named is not None and named not in mine):
        raise OutOfScope(f"this session may only deploy {', '.join(sorted(mine))}", hint=_PINNED)
    token = getattr(request, "token", None)
    if token is not None and host.has_foreign_lease(token):
        raise OutOfScope(f"the lease with token {token} is somebody else's", hint=_PINNED)
    if isinstance(request, m.Install):
        _refuse_taken(host, request)


def _refuse_taken(host: HostService, request: m.Install) -> None:
    """An address that is another instance's, which may just be down."""
    check_settings(request.settings)
    wished = [_place(each) for each in _addresses(request.settings)]
    for other in host.instances():
        found = None if other == request.instance else host.settings(other)
        for theirs in () if found is None else _addresses(found):
            if any(_overlap(_place(theirs), each) for each in wished):
                raise OutOfScope(f"`{theirs}` is the address of another instance", hint=_PINNED)


def _addresses(settings: m.InstanceSettings) -> tuple[str, ...]:
    return (*settings.tls_addresses, *settings.addresses)


def _place(text: str) -> tuple[str, int]:
    from zeroserve.config.address import parse_address  # only an install needs it

    address = parse_address(text, "https")
    return address.host, address.port


def _overlap(one: tuple[str, int], other: tuple[str, int]) -> bool:
    hosts_meet = one[0] == other[0] or bool({one[0], other[0]} & set(_ANY_HOST))
    return hosts_meet and one[1] == other[1] != 0
