"""The lean daemon as a process: what it loads, how it looks, and what each signal does."""

import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.client import Connection
from support.polling import wait_until
from support.process import Program

from zeroserve.config.load import ServeWish, load_config
from zeroserve.config.model import encode_config
from zeroserve.control.client import ControlClient
from zeroserve.control.handoff import import_paths
from zeroserve.errors import DaemonNotRunning

SCRIPT = Path(__file__).parent.parent / "lean_daemon.py"
HEAVY = {
    *("cffi", "click", "typer", "pydantic", "cryptography", "asyncio", "typing", "dataclasses"),
    *("inspect", "hashlib", "_hashlib", "ssl", "subprocess", "pathlib", "logging", "email", "http"),
    *("urllib", "contextlib", "tempfile", "importlib.metadata", "site", "zeroserve.cli"),
    *("zeroserve.pack", "zeroserve.tls", "zeroserve.check", "zeroserve.config.load"),
}


class Place:
    """Starts daemons in one directory and ends those that a test left running."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.site = directory / "site.tar"
        self.site.write_bytes(b"1 site")
        self.control = directory / "c.sock"
        self.programs: list[Program] = []

    def start(
        self,
        *,
        engine: str = "fake",
        holds_requests: bool = False,
        env: dict[str, str] | None = None,
        ready: bool = True,
        **wish: object,
    ) -> Program:
        fields = {
            "site": str(self.site),
            "addr": ("127.0.0.1:0",),
            "control": str(self.control),
            **wish,
        }
        config = load_config(ServeWish(**fields)).config  # type: ignore[arg-type]
        payload = self.directory / "payload.json"
        payload.write_text(
            json.dumps(
                {
                    "paths": import_paths(),
                    "config": encode_config(config).decode(),
                    "engine": engine,
                    "holds_requests": holds_requests,
                }
            )
        )
        program = Program(
            [sys.executable, "-I", "-S", SCRIPT, payload],
            self.directory / f"log{len(self.programs)}",
            env=env,
        )
        self.programs.append(program)
        if ready:
            program.wait_said("listening on ")
            self.client().status()
        return program

    def client(self) -> ControlClient:
        return ControlClient(self.control, 20)

    def generation(self) -> object:
        return self.client().status()["generation"]

    def reloads(self) -> int:
        last = self.client().status()["last_reload"]
        return int(last["id"]) if isinstance(last, dict) else 0


@pytest.fixture
def place(short_dir: Path) -> Iterator[Place]:
    one = Place(short_dir)
    yield one
    for program in one.programs:
        program.kill()


def modules(program: Program) -> set[str]:
    return set(json.loads(program.said.splitlines()[-1]))


def test_the_daemon_stays_lean(place: Place) -> None:
    program = place.start(probe_file=None)
    place.client().reload(None)
    place.client().metrics()
    program.send(signal.SIGUSR1)
    program.send(signal.SIGTERM)
    assert program.wait() == 0
    assert HEAVY & modules(program) == set()
    assert "zeroserve.control.daemon" in modules(program)


@pytest.mark.e2e
def test_the_daemon_stays_lean_with_the_engine(place: Place, packed: Path) -> None:
    place.site = packed
    program = place.start(engine="real", tls_addr=("127.0.0.1:0",), dev_cert=True)
    assert place.client().reload(None).ok
    rollup = Path(f"/proc/{program.pid}/smaps_rollup").read_text()
    pss_kib = int(rollup.split("\nPss:")[1].split()[0])
    assert pss_kib <= 15 << 10
    program.send(signal.SIGTERM)
    assert program.wait() == 0
    assert HEAVY & modules(program) == set()
    assert "_cffi_backend" in modules(program)


def test_metrics_have_a_listener_of_their_own(place: Place) -> None:
    program = place.start(metrics_addr="127.0.0.1:0")
    program.wait_said("metrics on http://127.0.0.1:")
    address = re.search(r"metrics on http://127\.0\.0\.1:(\d+)/metrics", program.said)
    assert address is not None
    with Connection.plain(("127.0.0.1", int(address[1]))) as connection:
        answer = connection.ask("/metrics")
    assert b"zeroserve_generation 1" in answer.body
    program.send(signal.SIGTERM)
    assert program.wait(20) == 0


def test_a_metrics_port_in_use_ends_the_start(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = f"127.0.0.1:{taken.getsockname()[1]}"
        program = place.start(metrics_addr=text, ready=False)
        assert program.wait(20) == 1
    assert f"error[address-in-use]: `{text}` is in use already" in program.said
    assert not place.control.exists()


def test_how_it_looks(place: Place) -> None:
    program = place.start()
    process = Path(f"/proc/{program.pid}")
    assert (process / "comm").read_text() == "zeroserve\n"
    assert (process / "cmdline").read_bytes().rstrip(b"\0") == b"zeroserve\0site.tar"
    limits = (process / "limits").read_text().split("Max open files")[1].split()
    assert limits[0] == str(min(int(limits[1]), 1 << 20))


def test_sighup_reloads(place: Place) -> None:
    program = place.start()
    place.site.write_bytes(b"2 site")
    program.send(signal.SIGHUP)
    wait_until(lambda: place.generation() == 2, what="the reload", state=lambda: program.said)
    place.site.write_bytes(b"bad")
    program.send(signal.SIGHUP)
    program.wait_said("refused, the old site is still served")
    assert str(place.site) in program.said
    assert place.generation() == 2


def test_many_sighups_end_with_the_last_site(place: Place) -> None:
    program = place.start()
    for number in range(40):
        place.site.write_bytes(b"%d" % number)
        program.send(signal.SIGHUP)
    place.site.write_bytes(b"9 last")
    program.send(signal.SIGHUP)
    want = place.client().reload(None).release_digest
    wait_until(
        lambda: place.client().status()["release_digest"] == want,
        what="the last site",
        state=lambda: program.said,
    )
    assert place.reloads() <= 42


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_load(place: Place, number: signal.Signals) -> None:
    place.site.write_bytes(b"large")
    program = place.start(ready=False)
    program.wait_said("loading")
    program.send(number)
    assert program.wait() == 0
    assert "ended by a signal before the site was loaded" in program.said
    assert not place.control.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(place: Place, number: signal.Signals) -> None:
    program = place.start()
    program.send(number)
    assert program.wait() == 0
    assert "draining" in program.said
    assert not place.control.exists()


def test_the_grace_is_an_end(place: Place) -> None:
    program = place.start(holds_requests=True, grace=0.2)
    program.send(signal.SIGTERM)
    assert program.wait() == 0
    assert "grace of 0.2 s is over" in program.said


def test_a_second_signal_ends_at_once(place: Place) -> None:
    program = place.start(holds_requests=True, grace=1000)
    program.send(signal.SIGTERM)
    program.wait_said("draining")
    assert program.ended() is None
    program.send(signal.SIGTERM)
    assert program.wait() == 1


def test_drain_over_the_control_socket_is_not_a_second_signal(place: Place) -> None:
    program = place.start(holds_requests=True, grace=1000)
    place.client().drain()
    program.wait_said("draining")
    place.client().drain()
    assert place.client().status()["generation"] == 1
    program.send(signal.SIGTERM)
    assert program.wait() == 1


def test_sigusr1_reopens_the_log(place: Place) -> None:
    log = place.directory / "access.log"
    program = place.start(access_log=str(log))
    log.rename(place.directory / "access.log.1")
    program.send(signal.SIGUSR1)
    program.wait_said("reopened")
    assert log.read_text() == "switched\n"
    assert (place.directory / "access.log.1").read_text() == ""
    log.unlink()
    log.mkdir()
    program.send(signal.SIGUSR1)
    program.wait_said("the old access log is kept")


def test_systemd_is_told(place: Place) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(20)
        listener.bind(str(place.directory / "n"))
        program = place.start(env={"NOTIFY_SOCKET": str(place.directory / "n")})
        ready = listener.recv(500).decode().splitlines()
        assert ready[:2] == ["READY=1", f"MAINPID={program.pid}"]
        assert ready[2].startswith("STATUS=serving generation 1")
        program.send(signal.SIGHUP)
        assert listener.recv(500).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert listener.recv(500).startswith(b"READY=1\nSTATUS=serving generation 2")
        program.send(signal.SIGTERM)
        assert listener.recv(500) == b"STOPPING=1"


def test_dead_event_loops_are_the_end(place: Place) -> None:
    place.site.write_bytes(b"dies")
    program = place.start()
    assert program.wait() == 70
    assert "error[engine-bug]" in program.said
    assert not place.control.exists()


def test_one_dead_event_loop_is_the_end(place: Place) -> None:
    place.site.write_bytes(b"half dies")
    program = place.start()
    assert program.wait() == 70
    assert "error[engine-bug]: 1 of 2 event loops died" in program.said
    assert not place.control.exists()


def test_a_refused_start_is_one_clear_line(place: Place) -> None:
    place.site.write_bytes(b"bad")
    program = place.start(ready=False)
    assert program.wait() == 1
    lines = [line for line in program.said.splitlines() if not line.startswith("[")]
    assert [line for line in lines if line] == [
        f"error[config-refused]: `{place.site}`: not a tar archive"
    ]
    assert not place.control.exists()
    with pytest.raises(DaemonNotRunning):
        place.client().status()


def test_a_second_daemon_takes_nothing_away(place: Place) -> None:
    first = place.start()
    second = place.start(ready=False)
    assert second.wait() == 1
    assert "control-in-use" in second.said
    assert place.client().status()["pid"] == first.pid


def test_a_port_in_use_is_named(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        program = place.start(ready=False, addr=(address,), control=None)
        assert program.wait() == 1
    assert f"`{address}` is in use" in program.said
