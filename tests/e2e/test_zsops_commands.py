"""`exec`, `ssh`, `logs` on real servers: what a key with a shell may do, and what a pinned one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleet_project import Project
from support.sshd import Farm, farm

pytestmark = pytest.mark.e2e


@pytest.fixture
def hosts() -> Iterator[Farm]:
    with farm(3, first=10) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, hosts: Farm) -> Project:
    return Project.make(tmp_path, hosts)


def test_commands_want_a_shell_and_logs_do_not(project: Project) -> None:
    project.write("one")
    assert project.zsops("deploy", "prod").code == 0
    ran = project.zsops("exec", "--group-output", "--", "echo", "a  b", "$HOME")
    assert (ran.code, ran.text) == (0, "3 hosts: web10, web11, web12\n  a  b $HOME\n")
    assert project.zsops("exec", "--on", "web10", "--", "false").code == 16
    assert project.zsops("ssh", "web11", "--", "echo", "a  b").text == "a  b\n"

    keys = project.farm.servers[0].home / "authorized_keys"
    keys.write_text(f'restrict,command="zsops-host serve --instance web" {keys.read_text()}')
    refused = project.zsops("exec", "--on", "web10", "--", "true")
    assert refused.code == 7
    assert "its key is pinned to one" in refused.stderr
    said = project.zsops("logs", "prod", "--unit", "supervisor", "--grep", "started the daemon")
    assert said.code == 0
    assert {line.split()[0] for line in said.text.splitlines()} == {"web10", "web11", "web12"}
    paused = project.zsops("pause", "prod", "--on", "web10", "--reason", "x")
    assert paused.code == 2
    assert "may only deploy web" in paused.stderr
