"""A login that is not root, and may run one command as root: enough to deploy, and for no more."""

from __future__ import annotations

import os
import pwd
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.counterparts import SUDO, require
from support.process import PROGRAMS, Finished, run
from support.sshd import Server, farm
from support.wheels import make_wheel

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sudo")]

#: Another run on this machine has a login of its own.
USER = f"zsops-{os.getpid()}"
CONFIG = """\
version: 1
project: demo
defaults:
  health: {{interval: 50ms, timeout: 10s}}
  ssh:
    user: {user}
    sudo: true
    program: {program}
    root: {root}
    port: {port}
    identity: {home}/id
    known_hosts: {home}/known_hosts
    config: {home}/ssh_config
sites:
  hello: {{src: site}}
environments:
  prod:
    hosts: {{web: {{addr: 127.0.1.98}}}}
    instances:
      web: {{listen: {{https: "127.0.1.98:{https}"}}, site: hello}}
"""


class Place:
    """A project, and the one host it goes to."""

    def __init__(self, directory: Path, server: Server, home: Path, rule: Path) -> None:
        self.directory, self.server, self.rule = directory, server, rule
        with closing(socket.create_server((server.address, 0))) as taken:
            self.https: int = taken.getsockname()[1]
        (directory / "site").mkdir()
        (directory / "site" / "index.html").write_text("<title>by sudo</title>")
        text = CONFIG.format(
            user=USER, program=PROGRAMS / "zsops-host", root=server.root, port=server.port,
            home=home, https=self.https,
        )  # fmt: skip
        (directory / "zsops.yaml").write_text(text)

    def zsops(self, *arguments: str) -> Finished:
        return run([PROGRAMS / "zsops", *arguments], cwd=self.directory)

    def page(self) -> bytes:
        trusted = self.server.root / "i" / "web" / "current" / "tls" / "cert.pem"
        context = ssl.create_default_context(cafile=str(trusted))
        url = f"https://{self.server.address}:{self.https}/"
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            body: bytes = answer.read()
        return body


@pytest.fixture(scope="module")
def user() -> Iterator[str]:
    """A login of this machine that exists for these tests."""
    if os.getuid() != 0:
        pytest.skip("only root makes users and says what they may do")
    require(SUDO)
    made = run(["useradd", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", USER])
    assert made.code == 0, made.stderr
    try:
        # Locked, as sshd sees it, is an account whose password begins with `!`.
        assert run(["usermod", "--password", "*", USER]).code == 0
        yield USER
    finally:
        run(["userdel", USER])
    with pytest.raises(KeyError):
        pwd.getpwnam(USER)


@pytest.fixture
def place(tmp_path: Path, user: str) -> Iterator[Place]:
    rule = Path(f"/etc/sudoers.d/{USER}")
    with farm(1, first=98) as hosts:
        (server,) = hosts.servers
        # sshd reads the keys as the user that logs in.
        for folder in (hosts.home, server.home):
            folder.chmod(0o711)
        (server.home / "authorized_keys").chmod(0o644)
        command = f"{PROGRAMS / 'zsops-host'} serve --root {server.root}"
        rule.write_text(f"{user} ALL=(root) NOPASSWD: {command}\n")
        rule.chmod(0o440)
        try:
            assert run(["visudo", "--check", "--file", rule]).code == 0
            yield Place(tmp_path, server, hosts.home, rule)
        finally:
            rule.unlink()


def test_a_login_that_may_run_one_command_deploys_and_does_no_more(place: Place) -> None:
    done = place.zsops("deploy", "prod")
    assert done.code == 0, done.stderr
    assert place.page() == b"<title>by sudo</title>"
    assert place.server.root.stat().st_uid == 0
    (place.directory / "site" / "index.html").write_text("<title>again</title>")
    assert place.zsops("deploy", "prod").code == 0
    assert place.page() == b"<title>again</title>"
    assert place.zsops("rollback", "prod").code == 0
    assert place.page() == b"<title>by sudo</title>"

    me = place.zsops("exec", "--", "id", "-un")
    assert (me.code, me.stderr) == (0, "")
    assert USER in me.text
    refused = place.zsops("exec", "--sudo", "--", "id", "-un")
    assert refused.code != 0
    assert "root" not in refused.text.split()


def test_a_wheel_runs_as_root_only_when_the_owner_let_it_in(place: Place) -> None:
    """Whoever brings one has code of its own run by root: without this the login would be root."""
    assert place.zsops("deploy", "prod").code == 0
    wheel = make_wheel(place.directory, "7.5.0")
    refused = place.zsops("daemon", "upgrade", "prod", "--wheel", str(wheel))
    assert refused.code == 2, refused.stderr
    assert "error[out-of-scope]: this session may not bring programs to the host" in refused.stderr
    assert "`zsops-host allow FILE`" in refused.stderr
    assert not (place.server.root / "opt").exists()

    allow = [PROGRAMS / "zsops-host", "allow", "--root", place.server.root]
    allowed = run([*allow, wheel])
    assert allowed.code == 0, allowed.stderr
    assert run(allow).text == allowed.text
    done = place.zsops("daemon", "upgrade", "prod", "--wheel", str(wheel))
    assert done.code == 0, done.stderr
    assert "-> 7.5.0" in done.stderr
    other = make_wheel(place.directory, "7.6.0")
    assert place.zsops("daemon", "upgrade", "prod", "--wheel", str(other)).code == 2


def test_a_login_that_chooses_the_root_has_no_state_of_its_own_run(place: Place) -> None:
    """A sudoers rule that leaves the arguments open: state that the login wrote is not believed."""
    command = PROGRAMS / "zsops-host"
    place.rule.write_text(f"{USER} ALL=(root) NOPASSWD: {command} serve *\n")
    own = place.directory / "own"
    own.mkdir()
    os.chown(own, pwd.getpwnam(USER).pw_uid, -1)
    file = place.directory / "zsops.yaml"
    file.write_text(file.read_text().replace(f"root: {place.server.root}", f"root: {own}"))
    refused = place.zsops("deploy", "prod")
    assert refused.code == 7
    assert "let the sudoers rule name the root" in refused.stderr
    assert list(own.iterdir()) == []


def test_without_sudo_the_same_login_may_nothing(place: Place) -> None:
    assert place.zsops("deploy", "prod").code == 0
    file = place.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("sudo: true", "sudo: false"))
    (place.directory / "site" / "index.html").write_text("<title>never</title>")
    refused = place.zsops("deploy", "prod")
    assert refused.code != 0
    assert "Traceback" not in refused.stderr
    assert place.page() == b"<title>by sudo</title>"
