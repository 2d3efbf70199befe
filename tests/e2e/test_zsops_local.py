"""`zsops` on this machine: the real programs, the real engine, HTTPS on loopback."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.polling import wait_until
from support.process import PROGRAMS, Finished, Program, run
from support.trees import HELLO

from zsops.transport.local import LocalTransport

pytestmark = pytest.mark.e2e

CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 3s}}
  confirm: {{window: 60s}}
sites:
  hello: {{src: site, checks: [{{path: /, status: 200, body_contains: "<title>"}}]}}
environments:
  local:
    instances:
      web: {{listen: {{https: "127.0.0.1:{port}"}}, site: hello}}
"""


@dataclass
class Machine:
    """A project, and the state of its host."""

    directory: Path
    port: int

    @classmethod
    def make(cls, directory: Path) -> Machine:
        """A copy of the example site on a port that is free now."""
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port: int = taken.getsockname()[1]
        shutil.copytree(HELLO, directory / "site")
        (directory / "zsops.yaml").write_text(CONFIG.format(port=port))
        return cls(directory, port)

    @property
    def env(self) -> dict[str, str]:
        """Where this host keeps its state."""
        return {"ZSOPS_ROOT": str(self.directory / "state"), "ZSOPS_WHO": "tester"}

    def zsops(self, *arguments: str) -> Finished:
        """Run it in the project."""
        return run([PROGRAMS / "zsops", *arguments], cwd=self.directory, env=self.env)

    def document(self, *arguments: str) -> dict[str, Any]:
        """Run it with `--json`."""
        found: dict[str, Any] = json.loads(self.zsops(*arguments, "--json").text)
        return found

    def deploying(self) -> Program:
        """A deployment that tells each step as it begins."""
        log = self.directory / "deploy.log"
        argv = [PROGRAMS / "zsops", "deploy", "-v"]
        return Program(argv, log, cwd=self.directory, env=self.env)

    def set_window(self, window: str) -> None:
        """Change the time in which a release has to be confirmed."""
        file = self.directory / "zsops.yaml"
        file.write_text(re.sub("window: [^}]+", f"window: {window}", file.read_text()))

    def write(self, text: str) -> bytes:
        """Change the first page."""
        body = f"<!doctype html><title>{text}</title>".encode()
        (self.directory / "site" / "index.html").write_bytes(body)
        return body

    def fetch(self) -> bytes:
        """The first page, as a client gets it that trusts the release's certificate only."""
        trusted = self.directory / "state" / "i" / "web" / "current" / "tls" / "cert.pem"
        context = ssl.create_default_context(cafile=str(trusted))
        url = f"https://127.0.0.1:{self.port}/"
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            body: bytes = answer.read()
        return body

    def close(self) -> None:
        """Stop what runs for this host."""
        root = self.directory / "state"
        if root.exists():
            with LocalTransport(root).connect() as session:
                session.stop_daemon("web")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine.make(tmp_path)
    yield made
    made.close()


def test_deploy_change_rollback_status_history(machine: Machine) -> None:
    assert machine.zsops("status").code == 2
    first = machine.write("one")
    deployed = machine.zsops("deploy", "local", "--reason", "first light")
    assert (deployed.code, deployed.text) == (0, f"https://127.0.0.1:{machine.port}/\n")
    assert machine.fetch() == first

    second = machine.write("two")
    plan = machine.zsops("plan", "--detailed-exitcode")
    assert plan.code == 3
    assert "~ index.html" in plan.text
    assert machine.zsops("deploy").code == 0
    assert machine.fetch() == second
    assert machine.zsops("plan", "--detailed-exitcode").code == 0

    assert machine.zsops("rollback").code == 0
    assert machine.fetch() == first

    (status,) = machine.document("status")["result"]["instances"]
    assert status["state"] == "healthy"
    assert status["release"] == status["last_good"]
    assert status["release"].startswith("000003-")
    assert status["daemon"]["site_digest"] == status["site_digest"]
    entries = machine.document("history")["result"]["entries"]
    committed = [each for each in entries if each["event"] == "committed"]
    assert [each["who"] for each in committed] == ["tester"] * 3
    assert [each["why"] for each in committed] == ["first light", "", "rollback"]


def test_failed_check_reverts_and_the_old_page_stays(machine: Machine) -> None:
    first = machine.write("one")
    assert machine.zsops("deploy").code == 0
    (machine.directory / "site" / "index.html").write_text("no head, no body")
    failed = machine.zsops("deploy")
    assert failed.code == 8
    assert "error[release-failed]: `/`: the body lacks `<title>`" in failed.stderr
    assert machine.fetch() == first
    assert machine.zsops("status").code == 0


def test_port_in_use_is_one_clear_line(machine: Machine) -> None:
    with closing(socket.create_server(("127.0.0.1", machine.port))):
        failed = machine.zsops("deploy")
    assert failed.code == 8
    assert f"127.0.0.1:{machine.port}" in failed.stderr
    assert "in use" in failed.stderr
    assert machine.zsops("deploy").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_during_the_deployment_reverts(machine: Machine, number: signal.Signals) -> None:
    first = machine.write("one")
    assert machine.zsops("deploy").code == 0
    machine.write("two")
    deploying = machine.deploying()
    deploying.wait_said("health …")
    deploying.send(number)
    assert deploying.wait() == 130
    assert machine.fetch() == first
    assert machine.zsops("status").code == 0


def test_operator_killed_before_the_confirmation(machine: Machine) -> None:
    first = machine.write("one")
    assert machine.zsops("deploy").code == 0
    machine.write("two")
    machine.set_window("1s")
    deploying = machine.deploying()
    deploying.wait_said("switch ok")
    deploying.send(signal.SIGKILL)
    assert deploying.wait() == -signal.SIGKILL
    wait_until(
        lambda: machine.zsops("status").code == 0 and machine.fetch() == first,
        timeout_s=60,
        what="the host's own way back",
    )
    # The dead operator's lease binds nobody: the next deployment goes through.
    machine.set_window("60s")
    second = machine.write("three")
    assert machine.zsops("deploy").code == 0
    assert machine.fetch() == second
