"""What OpenSSH would do for a host: `ssh -G`, asked and read. No connection is made here.

`ssh -G` is the only program that knows `Include`, `Match` and all defaults; its answer is plain
`key value` lines.
"""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zsops import process
from zsops.errors import ConfigError
from zsops.transport.known_hosts import server_name

_ASK_TIMEOUT_S = 15.0
_HOPS_MAX = 8
_CONNECT_TIMEOUT_S = 10.0
#: Silence after which a peer is asked, and how often in vain until it counts as dead.
_ALIVE_INTERVAL_S, _ALIVE_COUNT = 15.0, 3


class SshConfigInvalid(ConfigError):
    """What ssh's configuration says for a host cannot be used."""

    code = "ssh-config"


@dataclass(frozen=True)
class SshWish:
    """What `zsops.yaml` says of a way; None leaves it to ssh's configuration."""

    address: str
    user: str | None = None
    port: int | None = None
    jump: tuple[str, ...] = ()
    identity: Path | None = None
    known_hosts: Path | None = None
    config: Path | None = None


@dataclass(frozen=True)
class Endpoint:
    """One SSH server of a way: a hop or the host itself. Times in seconds."""

    host: str
    port: int
    user: str
    key_name: str  # what known_hosts calls it
    identities: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: bool = True  # whether the running agent (`$SSH_AUTH_SOCK`) may be asked
    known_hosts: tuple[Path, ...] = ()
    connect_timeout_s: float = _CONNECT_TIMEOUT_S
    alive_interval_s: float = _ALIVE_INTERVAL_S
    alive_count: int = _ALIVE_COUNT

    @property
    def shown(self) -> str:
        """For people: `deploy@web1:2222`."""
        port = "" if self.port == 22 else f":{self.port}"
        return f"{self.user}@{self.host}{port}"


@dataclass(frozen=True)
class Route:
    """Endpoints in the order they are passed; the last is the host."""

    endpoints: tuple[Endpoint, ...]

    @property
    def target(self) -> Endpoint:
        """The host itself."""
        return self.endpoints[-1]

    @property
    def hops(self) -> tuple[Endpoint, ...]:
        """The jump hosts before it."""
        return self.endpoints[:-1]


def resolve(wish: SshWish) -> Route:
    """The way to a host. Raises SshConfigInvalid; FileNotFoundError when there is no `ssh`."""
    answer = _ask(wish)
    hops = wish.jump or _jump(answer)
    return Route((*_hops(wish, hops), endpoint(answer, wish)))


def _hops(wish: SshWish, names: Sequence[str], depth: int = 0) -> tuple[Endpoint, ...]:
    """The first hop may itself lie behind others; the later ones are reached through it."""
    if depth + len(names) > _HOPS_MAX:
        raise SshConfigInvalid(f"more than {_HOPS_MAX} jump hosts to `{wish.address}`")
    found: list[Endpoint] = []
    for spec in names:
        hop = _hop_wish(wish, spec)
        answer = _ask(hop)
        if not found:
            found.extend(_hops(hop, _jump(answer), depth + 1))
        found.append(endpoint(answer, hop))
    return tuple(found)


def _hop_wish(wish: SshWish, spec: str) -> SshWish:
    """`[user@]host[:port]`, with IPv6 in brackets; what is not said comes from ssh's settings."""
    user, at, rest = spec.rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or rest.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = rest, ""
    if port and not port.isdigit():
        raise SshConfigInvalid(f"jump host `{spec}` has no port number after the colon")
    return SshWish(
        address=host.strip("[]"),
        user=user if at else None,
        port=int(port) if port else None,
        identity=wish.identity,
        known_hosts=wish.known_hosts,
        config=wish.config,
    )


def _ask(wish: SshWish) -> Mapping[str, tuple[str, ...]]:
    argv = ["ssh", "-G"]
    if wish.config is not None:
        argv += ["-F", str(wish.config)]
    if wish.user is not None:
        argv += ["-l", wish.user]
    if wish.port is not None:
        argv += ["-p", str(wish.port)]
    done = process.run([*argv, "--", wish.address], timeout_s=_ASK_TIMEOUT_S)
    if done.code != 0:
        said = (done.errors.strip().splitlines() or ["no reason given"])[-1]
        raise SshConfigInvalid(f"`ssh -G {wish.address}` fails: {said}")
    return parse(done.output)


def parse(text: str) -> Mapping[str, tuple[str, ...]]:
    """Lines of `ssh -G` by lower-case key; a key that comes several times keeps its order."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if value:
            found[key.lower()] = (*found.get(key.lower(), ()), value.strip())
    return found


def endpoint(answer: Mapping[str, tuple[str, ...]], wish: SshWish) -> Endpoint:
    """One server as `ssh -G` describes it, with what `zsops.yaml` says on top."""
    if _one(answer, "proxycommand", "none") != "none" and not wish.jump:
        raise SshConfigInvalid(
            f"`ProxyCommand` for `{wish.address}` is not supported", hint="use `ProxyJump`"
        )
    host, port = _one(answer, "hostname", wish.address), int(_one(answer, "port", "22"))
    interval = float(_one(answer, "serveraliveinterval", "0"))
    count = int(_one(answer, "serveralivecountmax", str(_ALIVE_COUNT)))
    connect = _one(answer, "connecttimeout", "none")
    identities = tuple(_home(each) for each in answer.get("identityfile", ()))
    return Endpoint(
        host=host,
        port=port,
        user=_one(answer, "user", "root"),
        key_name=_one(answer, "hostkeyalias", server_name(host, port)),
        identities=identities if wish.identity is None else (wish.identity,),
        identities_only=(
            wish.identity is not None or _one(answer, "identitiesonly", "no") == "yes"
        ),
        agent=_agent(answer),
        known_hosts=_known_hosts(answer) if wish.known_hosts is None else (wish.known_hosts,),
        connect_timeout_s=float(connect) if connect.isdigit() else _CONNECT_TIMEOUT_S,
        alive_interval_s=interval or _ALIVE_INTERVAL_S,
        alive_count=max(1, count) if interval else _ALIVE_COUNT,
    )


def _one(answer: Mapping[str, tuple[str, ...]], key: str, default: str) -> str:
    return answer[key][0] if answer.get(key) else default


def _jump(answer: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    value = _one(answer, "proxyjump", "none")
    return () if value == "none" else tuple(each.strip() for each in value.split(","))


def _agent(answer: Mapping[str, tuple[str, ...]]) -> bool:
    value = _one(answer, "identityagent", "SSH_AUTH_SOCK")
    if value.removeprefix("$") not in ("SSH_AUTH_SOCK", "none"):
        raise SshConfigInvalid(
            f"`IdentityAgent {value}` is not supported", hint="set `SSH_AUTH_SOCK` to it"
        )
    return value != "none"


def _known_hosts(answer: Mapping[str, tuple[str, ...]]) -> tuple[Path, ...]:
    files: list[str] = []
    for key in ("userknownhostsfile", "globalknownhostsfile"):
        files += _one(answer, key, "").split()
    return tuple(_home(each) for each in files if each != "none")


def _home(path: str) -> Path:
    return Path(path).expanduser()
