"""What `ssh -G` says, and what `zsops.yaml` says on top of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsops.transport.limits import Limits
from zsops.transport.ssh_config import SshConfigInvalid, SshWish, resolve

FILE = """\
Host web1
  HostName 192.0.2.1
  Port 2222
  User deploy
  ProxyJump bastion,ops@inner:2200
  ServerAliveInterval 5
  ConnectTimeout 7
Host bastion
  HostName gate.acme.net
  ProxyJump outer
Host named
  HostKeyAlias web-one
  IdentityFile ~/.ssh/named
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile /etc/a /etc/b
Host round
  ProxyJump about
Host about
  ProxyJump round
Host command
  ProxyCommand nc %h %p
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text(FILE)
    return file


def test_a_way_through_jump_hosts(config: Path) -> None:
    route = resolve(SshWish("web1", config=config))
    shown = [each.shown.partition("@")[2] for each in route.endpoints]
    assert shown == ["outer", "gate.acme.net", "inner:2200", "192.0.2.1:2222"]
    target = route.target
    assert (target.user, target.key_name) == ("deploy", "[192.0.2.1]:2222")
    assert (target.alive_interval_s, target.connect_timeout_s) == (5.0, 7.0)
    assert route.hops[2].user == "ops"


def test_what_the_file_of_zsops_says_wins(config: Path, tmp_path: Path) -> None:
    wish = SshWish(
        "web1",
        user="ana",
        port=22,
        jump=("[2001:db8::1]:2022",),
        identity=tmp_path / "id",
        known_hosts=tmp_path / "known",
        config=config,
    )
    hop, target = resolve(wish).endpoints
    assert (target.user, target.port, target.identities) == ("ana", 22, (tmp_path / "id",))
    assert target.identities_only
    assert (hop.host, hop.port, hop.known_hosts) == ("2001:db8::1", 2022, (tmp_path / "known",))


def test_names_agents_and_files(config: Path) -> None:
    (target,) = resolve(SshWish("named", config=config)).endpoints
    assert target.key_name == "web-one"
    assert target.identities == (Path("~/.ssh/named").expanduser(),)
    assert (target.identities_only, target.agent) == (True, False)
    assert target.known_hosts[:2] == (Path("/etc/a"), Path("/etc/b"))


@pytest.mark.parametrize(
    ("host", "reason"), [("round", "more than 8 jump hosts"), ("command", "ProxyCommand")]
)
def test_what_cannot_be_done_is_said(config: Path, host: str, reason: str) -> None:
    with pytest.raises(SshConfigInvalid, match=reason):
        resolve(SshWish(host, config=config))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SshConfigInvalid, match="ssh -G web1"):
        resolve(SshWish("web1", config=tmp_path / "absent"))


def test_bytes_are_spent_at_the_rate_that_was_asked_for() -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    limits = Limits(bytes_per_s=1000, clock=lambda: now, sleep=sleep)
    began = now
    for _ in range(20):
        limits.spend(500)
    assert 9.0 <= now - began <= 10.0
    assert max(slept) <= 0.51
    now += 60.0  # an idle minute gives no more than a moment's burst
    slept.clear()
    for _ in range(4):
        limits.spend(500)
    assert sum(slept) >= 1.0
