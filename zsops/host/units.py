"""systemd units of a host: recovery at boot, a supervisor and a timer for each instance.

The supervisor keeps the revert deadline. systemd starts it at boot, after recovery has taken back
what nobody confirmed, and again when it is killed. The timer asks the same question of the journal
from outside, for a supervisor that hangs: whoever comes second finds nothing to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from zsops.frozen import frozen
from zsops.host.layout import InstancePaths
from zsops.host.systemd import WISH

_SAFE_PATH = re.compile(r"/[A-Za-z0-9._/+-]*")
_SAFE_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@frozen
class UnitWish:
    """What the units name: the program `zsops-host`, the root of its state, the user."""

    program: str
    root: str
    user: str


def units(wish: UnitWish, instances: Iterable[str]) -> Mapping[str, str]:
    """Unit files by name. Raises ValueError for what systemd would read as something else."""
    for path in (wish.program, wish.root):
        if _SAFE_PATH.fullmatch(path) is None:
            raise ValueError(f"`{path}` cannot stand in a unit: name a plain absolute path")
    if _SAFE_USER.fullmatch(wish.user) is None:
        raise ValueError(f"`{wish.user}` cannot stand in a unit")
    found = {"zsops-recover.service": _recover(wish)}
    for each in instances:
        name = InstancePaths(each).name
        mine = {
            f"zsops-{name}.service": _supervise(wish, name),
            f"zsops-{name}.path": _start(wish, name),
            f"zsops-expire-{name}.service": _expire(wish, name),
            f"zsops-expire-{name}.timer": _timer(name),
        }
        if twice := found.keys() & mine.keys():
            raise ValueError(f"instance `{name}` would need a second unit `{min(twice)}`")
        found |= mine
    return found


def _recover(wish: UnitWish) -> str:
    return f"""\
[Unit]
Description=Take back zsops deployments that nobody confirmed before the restart
After=local-fs.target
RequiresMountsFor={wish.root}

[Service]
Type=oneshot
RemainAfterExit=yes
User={wish.user}
ExecStart={wish.program} recover --root {wish.root}
{_SANDBOX.format(root=wish.root)}
[Install]
WantedBy=multi-user.target
"""


def _supervise(wish: UnitWish, instance: str) -> str:
    return f"""\
[Unit]
Description=Supervisor of the zeroserve instance {instance}
Requires=zsops-recover.service
After=zsops-recover.service network.target
RequiresMountsFor={wish.root}
StartLimitIntervalSec=0
# By it the user below has this unit started (`zsops daemon start`), who may not ask systemd.
Wants=zsops-{instance}.path

[Service]
Type=exec
User={wish.user}
ExecStart={wish.program} supervise --root {wish.root} --instance {instance}
# Killed, it leaves its daemon serving, and the next one takes that over. The listening sockets are
# kept for it here, so that a new version of the daemon can still be started beside that one.
KillMode=process
NotifyAccess=main
FileDescriptorStoreMax=16
TimeoutStopSec=60
Restart=on-failure
RestartSec=1
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
LimitNOFILE=262144
{_SANDBOX.format(root=wish.root)}
[Install]
WantedBy=multi-user.target
"""


def _start(wish: UnitWish, instance: str) -> str:
    return f"""\
[Unit]
Description=Start the supervisor of the zeroserve instance {instance} when it is asked for
RequiresMountsFor={wish.root}

[Path]
PathChanged={wish.root}/{InstancePaths(instance).run}/{WISH}
"""


def _expire(wish: UnitWish, instance: str) -> str:
    return f"""\
[Unit]
Description=Take back an unconfirmed zsops deployment of {instance} whose time is up
After=zsops-recover.service

[Service]
Type=oneshot
User={wish.user}
ExecStart={wish.program} expire --root {wish.root} --instance {instance}
{_SANDBOX.format(root=wish.root)}"""


def _timer(instance: str) -> str:
    return f"""\
[Unit]
Description=Ask every half minute whether a zsops deployment of {instance} is overdue

[Timer]
OnBootSec=30s
OnUnitInactiveSec=30s
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


#: io_uring must stay allowed, and /etc readable; everything else the daemon does without. Not
#: ProtectKernelTunables and ProtectControlGroups: in a container they hide its own boot id, by
#: which a restart is known, and a user that is not root may not write there anyway.
_SANDBOX = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=no
ProtectKernelModules=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
ReadWritePaths={root}
"""
