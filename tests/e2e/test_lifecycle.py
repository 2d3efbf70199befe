"""From the first line to the last signal: what operators, systemd and logrotate do to a server."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import tarfile
import time
from pathlib import Path

import pytest
from support.certs import Certificate
from support.client import Connection, request
from support.polling import wait_until
from support.process import zeroserve
from support.procfs import loop_threads
from support.releases import stage
from support.server import Server
from support.trees import pack_files, pattern

pytestmark = pytest.mark.e2e

LARGE = pattern("drain", 24_000_000)
#: Enough for a load of some tenths of a second.
LOADED_MIB = 512
SECRET = "a-secret-of-more-than-16-characters"


def begin_download(connection: Connection) -> bytes:
    """Ask for the large file and stop reading behind its first bytes."""
    connection.send(request("/large.bin"))
    assert connection.read_head().status == 200
    return connection.read_bytes(50_000)


@pytest.fixture(scope="module")
def large_tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"index.html": b"small", "large.bin": LARGE}
    return pack_files(files, tmp_path_factory.mktemp("large") / "site.tar")


def test_a_drain_lets_a_slow_download_finish_and_takes_no_new_connection(
    large_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    server = Server(large_tar, "--grace", "60", place=tmp_path, certificate=certificate)
    with server.connect() as slow, server.connect() as idle:
        assert idle.ask("/").status == 200
        begun = begin_download(slow)
        server.program.send(signal.SIGTERM)
        server.program.wait_said("draining")
        assert idle.is_closed(), "an idle connection is closed at once"

        def refused() -> bool:
            try:
                with socket.create_connection(server.address(), 5):
                    return False
            except ConnectionRefusedError:
                return True

        wait_until(refused, what="a refusal of new connections")
        assert server.program.ended() is None
        assert begun + slow.read_bytes(len(LARGE) - len(begun)) == LARGE
        assert slow.is_closed()
    assert server.program.wait() == 0


def test_a_drain_answers_the_request_that_is_half_sent(
    large_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    server = Server(large_tar, place=tmp_path, certificate=certificate)
    with server.connect() as connection:
        assert connection.ask("/").status == 200
        connection.send(request("/")[:10])
        wait_until(lambda: server.control.status()["generation"] == 1)
        server.program.send(signal.SIGTERM)
        server.program.wait_said("draining")
        connection.send(request("/")[10:])
        answer = connection.read_answer()
        assert answer.body == b"small"
        assert answer["connection"] == "close"
        assert connection.is_closed()
    assert server.program.wait() == 0


def test_grace_ends(large_tar: Path, tmp_path: Path, certificate: Certificate) -> None:
    server = Server(large_tar, "--grace", "0.5", place=tmp_path, certificate=certificate)
    with server.connect() as slow:
        begin_download(slow)
        server.program.send(signal.SIGTERM)
        assert server.program.wait(10) == 0
    assert "grace of 0.5 s is over" in server.said


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(
    large_tar: Path, tmp_path: Path, certificate: Certificate, second: signal.Signals
) -> None:
    server = Server(large_tar, "--grace", "100", place=tmp_path, certificate=certificate)
    with server.connect() as slow:
        begin_download(slow)
        server.program.send(signal.SIGINT)
        server.program.wait_said("draining")
        server.program.send(second)
        server.program.wait(10)
    assert "second signal" in server.said


def test_drain_over_the_control_socket_is_the_same(
    large_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    server = Server(large_tar, place=tmp_path, certificate=certificate)
    with server.connect() as slow:
        begun = begin_download(slow)
        server.control.drain()
        server.program.wait_said("draining")
        assert begun + slow.read_bytes(len(LARGE) - len(begun)) == LARGE
    assert server.program.wait() == 0
    assert not server.control_path.exists()


def test_sigusr1_reopens_the_access_log(
    hello_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    log, old = tmp_path / "access.log", tmp_path / "access.log.1"
    with (
        Server(hello_tar, "--access-log", log, place=tmp_path, certificate=certificate) as server,
        server.connect() as connection,
    ):
        connection.ask("/?before")
        wait_until(lambda: "?before" in log.read_text(), what="the first line")
        log.rename(old)
        connection.ask("/?between")
        wait_until(lambda: "?between" in old.read_text(), what="a line in the renamed file")
        server.program.send(signal.SIGUSR1)
        wait_until(log.exists, what="the new file")
        server.program.wait_said("reopened")
        connection.ask("/?after")
        wait_until(lambda: "?after" in log.read_text(), what="a line in the new file")
    assert [old.read_text().count(each) for each in ("?before", "?between", "?after")] == [1, 1, 0]
    assert log.read_text().count("\n") == 1


@pytest.mark.parametrize("form", ["common", "combined", "json"])
def test_the_access_log_has_one_line_a_request(
    hello_tar: Path, tmp_path: Path, certificate: Certificate, form: str
) -> None:
    log = tmp_path / "access.log"
    with (
        Server(
            hello_tar,
            *("--access-log", log, "--log-format", form),
            place=tmp_path,
            certificate=certificate,
        ) as server,
        server.connect() as connection,
    ):
        fields = {"User-Agent": 'quote" back\\slash', "Referer": "https://a/\u00e9"}
        length = len(connection.ask("/", fields=fields).body)
        connection.ask("/no%22pe", method="HEAD")
        wait_until(lambda: log.read_text().count("\n") == 2, what="two lines")
    first, second = log.read_text().splitlines()
    if form == "json":
        one, two = json.loads(first), json.loads(second)
        assert (one["method"], one["status"], one["bytes"]) == ("GET", 200, length)
        assert (two["method"], two["status"], two["bytes"]) == ("HEAD", 404, 0)
        return
    assert f'"GET / HTTP/1.1" 200 {length}' in first
    assert '"HEAD /no%22pe HTTP/1.1" 404' in second
    # Whoever splits at quotes must not be misled by what a client sent.
    assert 'quote" back' not in first


def test_a_storm_of_hups_becomes_few_reloads_and_the_last_one_counts(
    tmp_path: Path, certificate: Certificate
) -> None:
    """Every signal but the first comes while a reload runs that has opened an older tar."""
    filler = pattern("filler", 32_000_000)  # read and hashed at each reload, which takes its time
    tars = [
        pack_files(
            {"index.html": str(number).encode(), "filler": filler}, tmp_path / f"{number}.tar"
        )
        for number in range(6)
    ]
    tar = tars[0].rename(tmp_path / "site.tar")
    with Server(tar, place=tmp_path / "run", certificate=certificate) as server:
        for newer in tars[1:]:
            newer.replace(tar)
            for _ in range(100):
                server.program.send(signal.SIGHUP)
        with server.connect() as connection:
            wait_until(lambda: connection.ask("/").body == b"5", what="the last version")
        last = server.control.status()["last_reload"]
        assert isinstance(last, dict)
        assert last["ok"] is True
        assert 1 <= last["id"] <= 20, "500 signals are answered by few reloads"


def test_the_process_is_named_zeroserve(hello_tar: Path, tmp_path: Path) -> None:
    with Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path) as server:
        assert Path(f"/proc/{server.pid}/comm").read_text().strip() == "zeroserve"
        argv = Path(f"/proc/{server.pid}/cmdline").read_bytes().split(b"\0")
        assert argv[0] == b"zeroserve"
        assert os.fsencode(hello_tar) in argv


def test_a_hup_before_it_is_ready_does_not_kill_it(hello_tar: Path, tmp_path: Path) -> None:
    server = Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path, wait=False)
    # From the daemon's first moment on; the front end is a Python program that is still loading.
    wait_until(
        lambda: (
            Path(f"/proc/{server.pid}/cmdline").read_bytes().startswith(b"zeroserve\0")
            or b"boot.py" in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        ),
        what="the daemon",
    )
    server.program.send(signal.SIGHUP)
    server.wait_ready()
    wait_until(lambda: server.control.status()["last_reload"], what="the reload")
    server.stop()


def test_systemd_is_told_when_it_is_ready_reloads_and_ends(hello_tar: Path, tmp_path: Path) -> None:
    address = tmp_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(30)

        def told() -> dict[str, str]:
            lines = listener.recv(4096).decode().splitlines()
            return dict(line.split("=", 1) for line in lines)

        env = {"NOTIFY_SOCKET": str(address)}
        with Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path, env=env) as server:
            ready = told()
            assert (ready["READY"], ready["MAINPID"]) == ("1", str(server.pid))
            assert ready["STATUS"]
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            server.program.send(signal.SIGHUP)
            reloading = told()
            after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            assert reloading["RELOADING"] == "1"
            assert before <= int(reloading["MONOTONIC_USEC"]) <= after
            assert told()["READY"] == "1"
        assert told()["STOPPING"] == "1"


def test_two_loops_both_serve(hello_tar: Path, tmp_path: Path, certificate: Certificate) -> None:
    arguments = (hello_tar, "--threads", "2")
    with Server(*arguments, place=tmp_path, certificate=certificate) as server:
        loops = loop_threads(server.pid)
        assert len(loops) == 2

        def switches(tid: int) -> int:
            text = Path(f"/proc/{server.pid}/task/{tid}/status").read_text()
            return sum(
                int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line
            )

        before = [switches(tid) for tid in loops]
        for _ in range(40):  # the kernel spreads connections by a hash of their ports
            with server.connect() as connection:
                assert connection.ask("/").status == 200
        after = [switches(tid) for tid in loops]
        grown = [late - early for early, late in zip(before, after, strict=True)]
        assert min(grown) > 10, grown


def test_a_unix_socket_serves(hello_tar: Path, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with Server(hello_tar, "--addr", f"unix:{path}", place=tmp_path) as server:
        assert ("http", f"unix:{path}") in server.addresses
        with Connection.unix(str(path)) as connection:
            assert connection.ask("/").status == 200


def test_an_inherited_socket_serves(hello_tar: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with Server(
            hello_tar, "--addr", f"fd:{number}", place=tmp_path, pass_fds=[number]
        ) as server:
            assert server.address("http") == listener.getsockname()
            with server.connect_plain() as connection:
                assert connection.ask("/").status == 200


def test_a_port_alone_means_both_families(hello_tar: Path, tmp_path: Path) -> None:
    with Server(hello_tar, "--addr", ":0", place=tmp_path) as server:
        _, port = server.address("http")
        for host in ("127.0.0.1", "::1"):
            with Connection.plain((host, port)) as connection:
                assert connection.ask("/").status == 200, host


def test_a_port_has_one_server_unless_sharing_is_asked_for(hello_tar: Path, tmp_path: Path) -> None:
    for loops in ("1", "2"):  # with two, the first server's own sockets are a group
        arguments = (hello_tar, "--addr", "127.0.0.1:0", "--threads", loops)
        with Server(*arguments, place=tmp_path / f"first-{loops}") as first:
            port = first.address("http")[1]
            for threads in ("1", "2"):
                second = zeroserve("--threads", threads, "--addr", f"127.0.0.1:{port}", hello_tar)
                assert second.code == 1
                assert "error[address-in-use]" in second.stderr
    shared = ("--addr", f"127.0.0.1:{port}", "--reuse-port")
    with (
        Server(hello_tar, *shared, place=tmp_path / "second") as one,
        Server(hello_tar, *shared, place=tmp_path / "third") as other,
    ):
        assert one.address("http") == other.address("http")


def test_the_control_socket_is_its_owners_alone(hello_tar: Path, tmp_path: Path) -> None:
    with Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path) as server:
        assert stat.S_IMODE(server.control_path.stat().st_mode) == 0o600
        status = server.control.status()
        assert status["pid"] == server.pid
        assert status["listeners"] == [
            {"scheme": "http", "address": "{}:{}".format(*server.address("http"))}
        ]
        assert "zeroserve_" in server.control.metrics()
    assert not server.control_path.exists()


def test_a_control_socket_that_nobody_answers_is_replaced_and_a_live_one_is_not(
    hello_tar: Path, tmp_path: Path
) -> None:
    first = Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path)
    refused = zeroserve("--control", first.control_path, "--addr", "127.0.0.1:0", hello_tar)
    assert refused.code == 1
    assert "error[control-in-use]" in refused.stderr
    assert first.control.status()["pid"] == first.pid
    first.program.kill()
    assert first.control_path.exists(), "SIGKILL leaves the socket file behind"
    with Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path) as second:
        assert second.control.status()["pid"] == second.pid


def test_the_control_socket_survives_nonsense(hello_tar: Path, tmp_path: Path) -> None:
    with Server(hello_tar, "--addr", "127.0.0.1:0", place=tmp_path) as server:
        for data, status in (
            (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
            (b"GET /reload HTTP/1.1\r\n\r\n", 405),
            (b"\x16\x03\x01\r\n\r\n", 400),
            (b"POST /reload HTTP/1.1\r\nContent-Length: 3\r\n\r\n{]}", 400),
            (b'POST /reload HTTP/1.1\r\nContent-Length: 14\r\n\r\n{"expect": "x"', 400),
            (b"POST /reload HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 400),
            (b"GET /" + b"a" * 20_000, 400),
        ):
            with Connection.unix(str(server.control_path)) as connection:
                connection.send(data)
                assert connection.read_answer().status == status, data[:40]
        assert server.control.status()["generation"] == 1


def test_the_probe_answers_only_to_its_secret(
    hello_tar: Path, tmp_path: Path, certificate: Certificate
) -> None:
    secret = tmp_path / "probe"
    secret.touch(0o600)
    secret.write_text(SECRET + "\n")
    arguments = ("--probe-file", secret, "--addr", "127.0.0.1:0", hello_tar)
    with Server(*arguments, place=tmp_path, certificate=certificate) as server:
        status = server.control.status()
        for connect in (server.connect, server.connect_plain):
            with connect() as connection:
                answer = connection.ask(f"/.zeroserve/probe/{SECRET}")
                assert answer.status == 200
                assert answer["cache-control"] == "no-store"
                told = json.loads(answer.body)
                assert (told["v"], told["pid"], told["generation"]) == (1, server.pid, 1)
                for name in ("release_digest", "site_digest"):
                    assert told[name] == status[name]
                for wrong in (SECRET[:-1], SECRET + "a", SECRET.upper(), "", f"../probe/{SECRET}x"):
                    assert connection.ask(f"/.zeroserve/probe/{wrong}").status == 404
        server.control.reload(None)
        with server.connect() as connection:
            told = json.loads(connection.ask(f"/.zeroserve/probe/{SECRET}").body)
            assert told["generation"] == 2
    assert SECRET not in server.said, "a log is read by more people than may know the secret"


def test_one_rename_switches_site_and_certificate_together(tmp_path: Path) -> None:
    releases = [
        stage(tmp_path / f"release-{number}", number, {"index.html": f"site {number}".encode()})
        for number in range(3)
    ]
    current = tmp_path / "current"
    current.symlink_to(releases[0])
    arguments = ("--release", current, "--tls-addr", "127.0.0.1:0")
    with Server(*arguments, place=tmp_path / "run") as server:
        certificates = [
            Certificate(each / "tls/cert.pem", each / "tls/key.pem") for each in releases
        ]
        address = server.address()
        with Connection.tls(address, certificates[0].context()) as old:
            assert old.ask("/").body == b"site 0"
            for number in (1, 2):
                switched = tmp_path / "next"
                switched.symlink_to(releases[number])
                assert old.ask("/").body == f"site {number - 1}".encode(), "not before a reload"
                switched.replace(current)
                manifest = json.loads((releases[number] / "manifest.json").read_text())
                answer = server.control.reload(manifest["release_digest"])
                assert answer.ok, answer.error
                status = server.control.status()
                for name in ("release", "release_digest", "site_digest"):
                    assert status[name] == manifest[name]
                assert old.ask("/").body == f"site {number}".encode(), "an open connection too"
                # Nobody but the new certificate is trusted here.
                with Connection.tls(address, certificates[number].context()) as new:
                    assert new.peer.getpeercert(binary_form=True) == certificates[number].der
                    assert new.ask("/").body == f"site {number}".encode()


def test_a_reload_that_finds_another_release_than_expected_changes_nothing(
    tmp_path: Path, certificate: Certificate
) -> None:
    tar = pack_files({"index.html": b"old"}, tmp_path / "site.tar")
    with Server(tar, place=tmp_path, certificate=certificate) as server:
        pack_files({"index.html": b"new"}, tar)
        answer = server.control.reload("sha256:" + "0" * 64)
        assert not answer.ok
        assert "expected sha256:0000" in (answer.error or "")
        with server.connect() as connection:
            assert connection.ask("/").body == b"old"
            assert server.control.reload(None).ok
            assert connection.ask("/").body == b"new"


def test_new_connections_get_the_new_certificate(tmp_path: Path, hello_tar: Path) -> None:
    pair = Certificate.make(tmp_path / "tls")
    with Server(hello_tar, place=tmp_path, certificate=pair) as server:
        with server.connect() as old:
            Certificate.make(tmp_path / "tls")
            assert server.control.reload(None).ok
            assert old.ask("/").status == 200
        with server.connect() as new:
            assert new.peer.getpeercert(binary_form=True) == pair.der


def test_a_changed_signal_file_reloads(tmp_path: Path, hello_tar: Path) -> None:
    signal_file = tmp_path / "signal"
    signal_file.write_text("1")
    flags = ("--addr", "127.0.0.1:0", "--reload-signal-file", signal_file)
    with Server(hello_tar, *flags, place=tmp_path / "server") as server:
        signal_file.write_text("2")
        server.program.wait_said("reload 1: serving generation 2", 30)


@pytest.mark.timeout(120)
def test_a_signal_ends_the_load_of_a_large_tar(tmp_path: Path) -> None:
    tar = tmp_path / "large.tar"
    block = os.urandom(1 << 20)  # not sparse: every byte is read, and hashed twice
    with tarfile.open(tar, "w") as archive:
        for number in range(LOADED_MIB):
            member = tarfile.TarInfo(f"{number:04}.bin")
            member.size = len(block)
            archive.addfile(member, io.BytesIO(block))
    server = Server(tar, place=tmp_path / "run", wait=False)
    io_file = Path(f"/proc/{server.pid}/io")
    wait_until(
        lambda: int(io_file.read_text().split()[1]) > LOADED_MIB << 17, what="the load to begin"
    )
    server.program.send(signal.SIGTERM)
    assert server.program.wait() == 0
    assert "ended by a signal before the site was loaded" in server.said
    assert "listening on" not in server.said
    assert not server.control_path.exists()
