"""A host that boots: units, power loss in the middle of a deployment, the timer, another daemon."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.deployment import deploy_over, lease, stage
from support.nspawn import ADDRESS, ROOT, USER, Container, container
from support.polling import wait_until
from support.process import PROGRAMS, Finished, run
from support.sites import Site, site
from support.wheels import make_wheel

from zsops import Fleet
from zsops.host import messages as m
from zsops.transport.base import Transport

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(1800)]

ONE, TWO, THREE = site("one"), site("two"), site("three")
CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 10s}}
  ssh:
    user: {user}
    port: {port}
    program: {programs}/zsops-host
    root: {root}
    identity: {home}/id
    known_hosts: {home}/known_hosts
    config: {home}/ssh_config
sites:
  hello: {{src: site}}
environments:
  prod:
    hosts: {{web: {{addr: {address}}}}}
    instances:
      web: {{listen: {{https: "{address}:{https}"}}, site: hello}}
"""


class Place:
    """A project, and the booted host it goes to."""

    def __init__(self, directory: Path, host: Container) -> None:
        self.directory, self.host = directory, host
        with closing(socket.create_server((ADDRESS, 0))) as taken:
            self.https: int = taken.getsockname()[1]
        (directory / "site").mkdir()
        (directory / "site" / "index.html").write_text("<title>first</title>")
        text = CONFIG.format(
            user=USER, port=host.port, programs=PROGRAMS, root=ROOT, home=host.home,
            address=ADDRESS, https=self.https,
        )  # fmt: skip
        (directory / "zsops.yaml").write_text(text)

    def zsops(self, *arguments: str) -> Finished:
        return run([PROGRAMS / "zsops", *arguments], cwd=self.directory, timeout_s=120)

    @property
    def transport(self) -> Transport:
        fleet = Fleet.load(self.directory / "zsops.yaml", env="prod")
        return fleet.transport(fleet.machines[0])

    @property
    def run(self) -> Path:
        """The instance's process records."""
        return self.host.tree / ROOT.lstrip("/") / "i" / "web" / "run"

    def main_pid(self) -> str:
        """The process of the unit, as the host counts; `0` for none."""
        return self.host.systemctl("show", "--property=MainPID", "--value", "zsops-web.service")

    def unit_state(self) -> str:
        return self.host.inside("systemctl", "is-active", "zsops-web.service").text.strip()

    def page(self) -> bytes:
        """The front page, by the certificate of the release in service."""
        home = self.host.tree / ROOT.lstrip("/") / "i" / "web"
        context = ssl.create_default_context(cafile=str(home / "current" / "tls" / "cert.pem"))
        url = f"https://{ADDRESS}:{self.https}/index.html"
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            body: bytes = answer.read()
        return body

    def serves(self, what: Site) -> bool:
        try:
            return self.page() == what.page
        except OSError:
            return False

    def put(self, what: Site) -> None:
        with self.transport.connect() as session:
            done = deploy_over(self.transport, session, what)
        assert done.outcome is m.Outcome.HEALTHY

    def unconfirmed(self, what: Site, window_s: float) -> None:
        """In service and healthy, and its operator is gone."""
        with self.transport.connect() as session:
            token = lease(session, ttl_s=1.0).token
            release = stage(session, token, what).release.release
            request = m.Apply(token, "web", release, what.health(), confirm_window_s=window_s)
            assert list(session.apply(request))[-1].outcome is m.Outcome.HEALTHY
        assert self.page() == what.page

    def history(self) -> list[m.AuditEntry]:
        with self.transport.connect() as session:
            assert session.audit_verify().intact
            return list(session.history("web", 100))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "host"
    home.mkdir()
    with container(home) as host:
        yield Place(tmp_path, host)


def _installed(place: Place) -> None:
    """Units, and the first release in service."""
    host = place.host
    made = place.zsops("daemon", "install", "prod")
    assert made.code == 0, made.stderr
    place.zsops("daemon", "stop", "prod")
    units = Path("/etc/systemd/system")
    written = host.inside(
        PROGRAMS / "zsops-host", "units", "--root", ROOT, "--user", USER, "--out", units
    )
    assert written.code == 0, written.stderr
    host.systemctl("daemon-reload")
    host.systemctl("enable", "--now", "zsops-web.service", "zsops-expire-web.timer")
    assert place.unit_state() == "active"
    place.put(ONE)
    assert place.page() == ONE.page


def test_daemon_start_and_restart_are_the_units(place: Place) -> None:
    """Though the login may not ask systemd for anything."""
    _installed(place)
    host = place.host
    stopped = place.zsops("daemon", "stop", "prod")
    assert stopped.code == 0, stopped.stderr
    wait_until(lambda: place.unit_state() == "inactive", what="the unit's end")
    for verb in ("start", "restart", "restart"):
        done = place.zsops("daemon", verb, "prod")
        assert done.code == 0, done.stderr
        assert place.unit_state() == "active"
        supervisor = json.loads((place.run / "supervise.json").read_text())["pid"]
        assert place.main_pid() == str(supervisor)
        assert place.page() == ONE.page
    before = place.main_pid()
    host.systemctl("stop", "zsops-web.service")
    revived = place.zsops("drift", "prod", "--heal")
    assert revived.code == 0, revived.stderr
    assert place.main_pid() not in ("0", before)
    assert place.page() == ONE.page

    # Without the unit that is asked by a file, it is said what to run.
    host.systemctl("stop", "zsops-web.service", "zsops-web.path")
    refused = place.zsops("daemon", "start", "prod")
    assert refused.code == 8
    assert "`sudo systemctl start zsops-web.service`" in refused.stderr
    host.systemctl("start", "zsops-web.service")


def test_a_booted_host_from_its_installation_to_another_daemon(place: Place) -> None:
    _installed(place)
    host = place.host

    # Power is lost with a release in service that nobody has confirmed.
    place.unconfirmed(TWO, 600.0)
    host.cut_power()
    host.boot()
    wait_until(lambda: place.serves(ONE), what="the old release after the boot", timeout_s=60)
    assert host.systemctl("is-active", "zsops-recover.service") == "active"
    last = [each for each in place.history() if each.event == "reverted"][-1]
    assert "serving" in last.detail
    place.put(TWO)

    # The supervisor hangs: the timer, from outside, takes back what nobody confirms.
    place.unconfirmed(THREE, 2.0)
    supervisor = place.main_pid()
    assert host.inside("kill", "-STOP", supervisor).code == 0
    wait_until(lambda: place.serves(TWO), what="the timer's way back", timeout_s=120)
    assert host.inside("kill", "-CONT", supervisor).code == 0

    # Killed, the supervisor is back, with its sockets; another daemon can still take over.
    assert host.inside("kill", "-KILL", supervisor).code == 0

    def restarted() -> bool:
        return place.main_pid() not in ("0", supervisor)

    wait_until(restarted, what="the next supervisor", timeout_s=60)
    wheel = make_wheel(place.directory, "7.9.0")
    upgraded = place.zsops("daemon", "upgrade", "prod", "--wheel", str(wheel))
    assert upgraded.code == 0, upgraded.stderr
    assert place.page() == TWO.page
    with place.transport.connect() as session:
        assert session.daemon_status("web").version == "7.9.0"

    # The chosen version is the one that starts at the next boot.
    host.cut_power()
    host.boot()
    wait_until(lambda: place.serves(TWO), what="the release after the boot", timeout_s=60)
    with place.transport.connect() as session:
        assert session.daemon_status("web").version == "7.9.0"
