"""Hosts as the file declares them, and as the machines they stand for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from zsops.config.secrets import Recipient
from zsops.config.values import ADDR, LOCAL_HOST, Argv, Name, Section

_RANGE = re.compile(r"([a-z0-9_.-]*)\[([0-9]{1,6})-([0-9]{1,6})\]([a-z0-9_.-]*)")
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_RANGE_MAX = 10_000
_ADDRESS = re.compile(r"[A-Za-z0-9{][A-Za-z0-9{}_.:-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_HOP = re.compile(
    r"([A-Za-z0-9_.-]+@)?([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?"
)


def _host_pattern(value: str) -> str:
    if not (_HOST_NAME.fullmatch(value) or _RANGE.fullmatch(value)):
        raise ValueError(
            f"`{value}` is not a host: use a-z, 0-9, `-`, `.` and `_`, or a range as `web[2-4]`"
        )
    expand(value)
    return value


def _host_address(value: str) -> str:
    if not _ADDRESS.fullmatch(value) or set(re.findall("{[^}]*}?", value)) - {"{name}", "{n}"}:
        raise ValueError(
            f"must be a host name or an IP (with `{{name}}` or `{{n}}`), not `{value}`"
        )
    return value


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError(f"must be a user name, not `{value}`")
    return value


def _hops(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(
        isinstance(each, str) and _HOP.fullmatch(each) for each in listed
    ):
        raise ValueError("must be a jump host as `user@host:22`, or a list of them")
    return tuple(listed)


HostPattern = Annotated[str, AfterValidator(_host_pattern)]
HostAddress = Annotated[str, AfterValidator(_host_address)]
UserName = Annotated[str, AfterValidator(_user)]
Hops = Annotated[
    tuple[str, ...],
    BeforeValidator(_hops),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Ssh(Section):
    """The way to a host. What is left out comes from ssh's own configuration (`ssh -G`)."""

    user: UserName | None = Field(default=None, description="user to log in as")
    port: int | None = Field(default=None, ge=1, le=65535, description="port of sshd")
    known_hosts: str | None = Field(
        default=None, description="file of the hosts' keys; `zsops hosts trust` writes it"
    )
    jump: Hops | None = Field(default=None, description="jump hosts, the first one first")
    identity: str | None = Field(
        default=None, description="private key to log in with, and no other"
    )
    config: str | None = Field(default=None, description="ssh configuration to read instead")
    sudo: bool | None = Field(default=None, description="run `zsops-host` by `sudo -n`")
    program: Argv | None = Field(default=None, description="how `zsops-host` is called there")
    root: str | None = Field(default=None, description="where the host keeps its state")

    def over(self, other: Ssh) -> Ssh:
        """This, and what `other` says where this is silent."""
        mine = {name: value for name, value in self if value is not None}
        return other.model_copy(update=mine)


class Host(Section):
    """A machine, or several of a kind: the name may be a range, `web[2-4]`."""

    addr: HostAddress | None = Field(
        default=None,
        description="name or address, with `{name}` and `{n}`; its own name if left out",
    )
    groups: tuple[Name, ...] = Field(default=(), description="groups that selectors know")
    labels: Mapping[Name, str] = Field(default={}, description="labels that selectors know")
    ssh: Ssh = Field(default=Ssh(), description="the way to this host")
    recipient: Recipient | None = Field(
        default=None, description="public key to encrypt its secrets to; the host is asked if none"
    )


@dataclass(frozen=True)
class Machine:
    """One host. `address` None: this machine, without SSH."""

    name: str
    address: str | None
    groups: tuple[str, ...]
    labels: Mapping[str, str]
    ssh: Ssh
    recipient: str | None = None

    def __hash__(self) -> int:
        return hash(self.name)

    def at(self, listen: str) -> str:
        """A `listen` address on this machine. Raises ValueError when `{addr}` is no IP address."""
        if not listen.startswith(ADDR):
            return listen
        address = ipaddress.ip_address("127.0.0.1" if self.address is None else self.address)
        shown = f"[{address}]" if address.version == 6 else str(address)
        return listen.replace(ADDR, shown, 1)


def expand(pattern: str) -> tuple[str, ...]:
    """`web[2-4]` is `web2`, `web3`, `web4`; leading zeros are kept. Raises ValueError."""
    return tuple(f"{before}{number}{after}" for before, number, after in _numbered(pattern))


def machines(pattern: str, host: Host, ssh: Ssh) -> tuple[Machine, ...]:
    """The machines of one entry; `ssh` is what applies where the host says nothing."""
    found = []
    for before, number, after in _numbered(pattern):
        name = f"{before}{number}{after}"
        template = host.addr if host.addr is not None else None if name == LOCAL_HOST else "{name}"
        address = template
        if template is not None:
            address = template.replace("{name}", name).replace("{n}", number)
        found.append(
            Machine(name, address, host.groups, host.labels, host.ssh.over(ssh), host.recipient)
        )
    return tuple(found)


def _numbered(pattern: str) -> Iterator[tuple[str, str, str]]:
    match = _RANGE.fullmatch(pattern)
    if match is None:
        trailing = re.search("[0-9]*$", pattern)
        number = trailing[0] if trailing else ""
        yield pattern[: len(pattern) - len(number)], number, ""
        return
    before, low, high, after = match.groups()
    if int(low) > int(high) or int(high) - int(low) >= _RANGE_MAX:
        raise ValueError(f"`{pattern}` is no range: write the smaller number first")
    for each in range(int(low), int(high) + 1):
        yield before, str(each).zfill(len(low) if low.startswith("0") else 0), after
