"""The SSH transport against real OpenSSH servers: hops, keys, links that die or go silent."""

from __future__ import annotations

import io
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from support.deployment import deploy, lease
from support.local_host import FAKE
from support.polling import wait_until
from support.process import run
from support.sites import site
from support.sshd import Farm, Server, farm, make_key

from zsops import errors
from zsops.host import messages as m
from zsops.transport.limits import Limits
from zsops.transport.ssh import Remote, SshNetwork, SshTransport
from zsops.transport.ssh_config import SshWish

pytestmark = pytest.mark.e2e

BIG = site("big", padding=150_000)  # 4.8 MB of which nothing compresses away
SMALL = site("small")


@pytest.fixture
def servers() -> Iterator[Farm]:
    with farm(3, first=30) as made:
        yield made


def transport(
    made: Farm, server: Server, *jump: Server, network: SshNetwork | None = None, **wish: object
) -> SshTransport:
    fields: dict[str, object] = {
        "address": server.address,
        "port": server.port,
        "identity": made.identity,
        "known_hosts": made.known_hosts,
        "config": made.ssh_config,
        "jump": tuple(f"{each.address}:{each.port}" for each in jump),
    }
    made_wish = SshWish(**{**fields, **wish})  # type: ignore[arg-type]
    return SshTransport(server.name, made_wish, Remote(), network or SshNetwork())


def install(way: SshTransport) -> None:
    settings = m.InstanceSettings(("localhost",), ("127.0.0.1:0",), program=FAKE)
    with way.connect() as session:
        session.install(m.Install("web", settings))


def test_a_deployment_through_two_jump_hosts_shares_their_connections(servers: Farm) -> None:
    outer, inner, target = servers.servers
    network = SshNetwork()
    way = transport(servers, target, outer, inner, network=network)
    install(way)
    assert deploy(way, SMALL).outcome is m.Outcome.HEALTHY
    network.close()
    assert outer.program is not None
    assert target.program is not None
    assert outer.program.said.count("Accepted publickey") == 1
    assert target.program.said.count("Accepted publickey") == 3  # install, deploy, confirm


def test_every_hop_must_show_its_known_key(servers: Farm) -> None:
    outer, inner, target = servers.servers
    servers.trust(outer, target)
    with pytest.raises(errors.HostKeyRefused, match=r"no key is known for `\[127.0.1.31\]"):
        transport(servers, target, outer, inner).connect()
    assert target.program is not None
    assert "Connection from" not in target.program.said


def test_certificates_of_hosts_are_verified(servers: Farm) -> None:
    server = servers.servers[0]
    authority = make_key(servers.home / "ca")
    argv = ["ssh-keygen", "-q", "-s", authority, "-I", "x", "-h", "-n", server.address]
    assert run([*argv, server.home / "host_key.pub"]).code == 0
    server.close()
    server.more = f"HostCertificate {server.home}/host_key-cert.pub"
    server.start()
    public = " ".join(authority.with_suffix(".pub").read_text().split()[:2])
    servers.known_hosts.write_text(f"@cert-authority [127.0.1.*]:* {public}\n")
    with transport(servers, server).connect() as session:
        assert session.hello().protocol == m.PROTOCOL_VERSION
    other = servers.servers[1]  # it has no certificate
    with pytest.raises(errors.HostUnreachable, match="no host key of a type"):
        transport(servers, other).connect()


def test_a_login_that_is_refused_names_the_keys(servers: Farm) -> None:
    stranger = make_key(servers.home / "stranger")
    with pytest.raises(errors.LoginRefused, match="stranger"):
        transport(servers, servers.servers[0], identity=stranger).connect()
    with pytest.raises(errors.LoginRefused, match="there was no key to try"):
        transport(servers, servers.servers[0], identity=servers.home / "absent").connect()


def test_a_host_without_our_program_says_so(servers: Farm) -> None:
    server = servers.servers[0]
    way = transport(servers, server)
    broken = SshTransport("x", way._wish, Remote(program=("no-such-program",)), SshNetwork())
    with pytest.raises(errors.HostUnreachable, match="ended with 127"):
        broken.connect()


def test_a_pinned_key_may_only_touch_its_instance(servers: Farm) -> None:
    server = servers.servers[0]
    way = transport(servers, server)
    install(way)
    keys = server.home / "authorized_keys"
    pinned = f'restrict,command="zsops-host serve --instance web" {keys.read_text()}'
    keys.write_text(pinned)
    assert deploy(way, SMALL).outcome is m.Outcome.HEALTHY
    with way.connect() as session:
        for forbidden in (
            lambda: session.observe("other"),
            lambda: session.break_lease("ana", "because"),
        ):
            with pytest.raises(errors.OutOfScope):
                forbidden()
    assert way.run("touch /tmp/never", 10).code == 0  # the forced command ran instead
    assert not Path("/tmp/never").exists()


def test_a_link_that_dies_in_an_upload_is_resumed_where_it_was(servers: Farm) -> None:
    server = servers.servers[0]
    way = transport(servers, server, network=SshNetwork(Limits(bytes_per_s=8 << 20)))
    install(way)

    def cut(here: int, total: int) -> None:
        if here > total // 2:
            for pid in server.session_pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    with way.connect() as session:
        token = lease(session).token
        with pytest.raises(errors.LinkLost):
            session.stage(BIG.stage(token), io.BytesIO(BIG.tar), cut)
    seen: list[int] = []
    with way.connect() as session:
        request = BIG.stage(token)
        staged = session.stage(request, io.BytesIO(BIG.tar), lambda here, total: seen.append(here))
    assert seen[0] > len(BIG.tar) // 10
    assert staged.received < len(BIG.tar) * 9 // 10
    assert staged.release.release_digest == BIG.release_digest


def test_a_peer_that_goes_silent_in_an_upload_is_given_up(servers: Farm) -> None:
    server = servers.servers[0]
    way = transport(servers, server, network=SshNetwork(Limits(bytes_per_s=8 << 20)))
    install(way)
    stopped: list[int] = []

    def stop(here: int, total: int) -> None:
        if here > total // 3 and not stopped:
            stopped.extend(server.session_pids())
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)

    try:
        with way.connect() as session:
            token = lease(session).token
            with pytest.raises(errors.LinkLost, match="silent for"):
                session.stage(BIG.stage(token), io.BytesIO(BIG.tar), stop)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert stopped
    with way.connect() as session:
        staged = session.stage(BIG.stage(token), io.BytesIO(BIG.tar))
    assert staged.release.release_digest == BIG.release_digest


def test_a_server_with_too_many_logins_is_asked_again(servers: Farm) -> None:
    server = servers.servers[0]
    server.close()
    server.more = "MaxStartups 1:100:2"
    server.start()
    network = SshNetwork(Limits(handshakes=8))
    ways = [transport(servers, server, network=network) for _ in range(6)]
    from concurrent.futures import ThreadPoolExecutor

    def hello(way: SshTransport) -> int:
        with way.connect() as session:
            return session.hello().protocol

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(hello, ways)) == [m.PROTOCOL_VERSION] * 6
    assert server.program is not None
    assert "MaxStartups" in server.program.said or "beginning MaxStartups" in server.program.said


def test_commands_are_run_with_their_output(servers: Farm) -> None:
    ran = transport(servers, servers.servers[0]).run("printf out; printf err >&2; exit 3", 10)
    assert (ran.code, ran.output, ran.errors) == (3, b"out", b"err")
    with pytest.raises(errors.HostUnreachable, match="does not end in"):
        transport(servers, servers.servers[0]).run("sleep 30", 0.5)


def test_an_agent_signs_and_the_file_is_not_read(
    servers: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = servers.home / "agent"
    started = run(["ssh-agent", "-a", socket])
    pid = int(started.text.split("SSH_AGENT_PID=")[1].split(";")[0])
    try:
        env = {"SSH_AUTH_SOCK": str(socket)}
        assert run(["ssh-add", "-q", servers.identity], env=env).code == 0
        shutil.move(servers.identity, servers.home / "moved")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        with transport(servers, servers.servers[0]).connect() as session:
            assert session.hello().protocol == m.PROTOCOL_VERSION
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not socket.exists(), what="the agent's end")


def test_a_look_from_outside_goes_through_the_last_jump_host(servers: Farm) -> None:
    outer, inner, target = servers.servers
    network = SshNetwork()
    way = transport(servers, target, outer, inner, network=network)
    with closing(network.dial(way._wish, target.address, target.port)) as link:
        link.settimeout(20)
        assert link.recv(64).startswith(b"SSH-2.0-OpenSSH")
    assert inner.program is not None
    assert inner.program.said.count("Accepted publickey") == 1
    with pytest.raises(errors.HostUnreachable, match="is not reached from"):
        network.dial(way._wish, target.address, 1)
    network.close()
    direct = transport(servers, target)
    with closing(SshNetwork().dial(direct._wish, target.address, target.port)) as link:
        link.settimeout(20)
        assert link.recv(64).startswith(b"SSH-2.0-OpenSSH")


def test_a_jump_host_carries_only_so_many_at_a_time(servers: Farm) -> None:
    hop, target, other = servers.servers
    network = SshNetwork(Limits(per_jump=1))
    first = transport(servers, target, hop, network=network).connect()
    opened = threading.Event()

    def second() -> None:
        with transport(servers, other, hop, network=network).connect():
            opened.set()

    waiting = threading.Thread(target=second)
    waiting.start()
    assert not opened.wait(1.0)  # it would need a place, and there is none
    assert other.program is not None
    assert "Connection from" not in other.program.said
    first.close()
    assert opened.wait(60)
    waiting.join()
    network.close()
