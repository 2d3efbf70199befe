"""`zsops` over SSH: real OpenSSH servers, real daemons, one machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleet_project import Project
from support.polling import wait_until
from support.process import run
from support.sshd import Farm, Server, farm, make_key

pytestmark = pytest.mark.e2e


@pytest.fixture
def hosts() -> Iterator[Farm]:
    with farm(3, first=10) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, hosts: Farm) -> Project:
    return Project.make(tmp_path, hosts)


def test_a_fleet_is_deployed_in_waves_and_goes_back(project: Project) -> None:
    one = project.write("one")
    first = project.zsops("deploy", "prod", "--reason", "first light")
    assert first.code == 0, first.stderr
    assert project.pages() == [one] * 3
    assert first.stderr.index("wave 1 of 2: web10") < first.stderr.index(
        "wave 2 of 2: web11, web12"
    )

    before = [logins(each) for each in project.farm.servers]
    again = project.document("deploy", "prod")
    assert again["exit"] == 0
    assert again["result"]["summary"]["sent"] == 0
    assert again["result"]["summary"]["unchanged"] == 3
    # One look at each host is all that a deployment without changes needs.
    assert [logins(each) for each in project.farm.servers] == [count + 1 for count in before]

    two = project.write("two")
    canary = project.zsops("deploy", "prod", "--on", "canary")
    assert canary.code == 0, canary.stderr
    assert project.pages() == [two, one, one]
    assert project.zsops("deploy", "prod").code == 0
    assert project.pages() == [two] * 3

    (project.directory / "site" / "index.html").write_text("no head, no body")
    bad = project.zsops("deploy", "prod")
    assert bad.code == 8, bad.stderr
    assert "web11: not started" in bad.stderr.replace("web on ", "")
    assert project.pages() == [two] * 3

    assert project.zsops("rollback", "prod").code == 0
    assert project.pages() == [one] * 3
    status = project.document("status", "prod")
    assert [each["state"] for each in status["result"]["instances"]] == ["healthy"] * 3
    entries = project.document("history", "prod", "-n", "100")["result"]["entries"]
    assert {each["host"] for each in entries} == {"web10", "web11", "web12"}
    assert {each["who"] for each in entries if each["event"] == "committed"} == {"tester"}


def logins(server: Server) -> int:
    """How many connections were logged in so far."""
    assert server.program is not None
    return server.program.said.count("Accepted publickey")


def test_a_selector_that_means_nobody_is_an_error(project: Project) -> None:
    refused = project.zsops("deploy", "prod", "--on", "canry")
    assert refused.code == 2
    assert "means no host" in refused.stderr
    assert "did you mean `canary`?" in refused.stderr


def test_a_wrong_host_key_is_refused_and_nothing_changes(project: Project) -> None:
    one = project.write("one")
    assert project.zsops("deploy", "prod").code == 0
    project.write("two")
    server = project.farm.servers[0]
    former = server.public_key
    impostor = make_key(project.farm.home / "other").with_suffix(".pub").read_text().split()[:2]
    known = project.farm.known_hosts
    known.write_text(known.read_text().replace(former, " ".join(impostor)))
    refused = project.zsops("deploy", "prod", "--on", "web10")
    assert refused.code == 7
    assert "error[host-key]" in refused.stderr
    assert "expected SHA256:" in refused.stderr
    assert project.pages() == [one] * 3
    assert project.zsops("status", "prod").code == 7


def test_a_dead_host_does_not_keep_others_from_looking(project: Project) -> None:
    project.write("one")
    assert project.zsops("deploy", "prod").code == 0
    project.farm.servers[2].close()
    status = project.zsops("status", "prod")
    assert status.code == 7
    assert status.text.count("healthy") == 2
    assert "unreachable" in status.text
    project.write("two")
    partial = project.document("deploy", "prod")
    assert partial["exit"] == 7  # none may be out of reach, so nothing was begun
    assert partial["result"]["summary"]["unreachable"] == 1
    assert partial["result"]["summary"]["not_started"] == 2


def test_an_operator_killed_after_the_switch_leaves_the_old_site(
    tmp_path: Path, hosts: Farm
) -> None:
    project = Project.make(tmp_path, hosts)
    one = project.write("one")
    assert project.zsops("deploy", "prod").code == 0
    file = project.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("window: 30s", "window: 1s"))
    project.write("two")
    deploying = project.start("deploy", "prod", "-v")
    deploying.wait_said("web on web10: switch ok")
    deploying.send(signal.SIGKILL)
    assert deploying.wait() == -signal.SIGKILL
    wait_until(
        lambda: project.zsops("status", "prod").code == 0 and project.pages() == [one] * 3,
        timeout_s=60,
        what="the host's own way back",
    )


def test_a_stopped_sshd_times_out(project: Project) -> None:
    project.write("one")
    server = project.farm.servers[0]
    server.send(signal.SIGSTOP)
    try:
        late = project.zsops("status", "prod", "--on", "web10")
    finally:
        server.send(signal.SIGCONT)
    assert late.code == 7
    assert "says nothing for" in late.stderr


def test_keys_are_shown_and_pinned(project: Project) -> None:
    known = project.farm.known_hosts
    known.unlink()
    refused = project.zsops("deploy", "prod")
    assert refused.code == 7
    assert "zsops hosts trust" in refused.stderr
    unseen = project.zsops("hosts", "trust", "prod")
    assert unseen.code == 2
    assert not known.exists()
    shown = project.zsops("hosts", "trust", "prod", "--yes")
    assert shown.code == 0, shown.stderr
    for server in project.farm.servers:
        said = run(["ssh-keygen", "-l", "-f", server.home / "host_key.pub"]).text.split()[1]
        assert said in shown.stderr
        assert server.public_key in known.read_text()
    assert "every host's key is known" in project.zsops("hosts", "trust", "prod").stderr
    project.write("one")
    assert project.zsops("deploy", "prod").code == 0


@pytest.mark.slow
def test_fifty_hosts(tmp_path: Path) -> None:
    with farm(50, first=101) as many:
        project = Project.make(tmp_path, many)
        one = project.write("one")
        file = project.directory / "zsops.yaml"
        # Fifty hosts on one machine: their programs start slowly, as fifty machines' would not.
        file.write_text(file.read_text().replace("timeout: 5s", "timeout: 60s"))
        first = project.document("deploy", "prod", "--strategy", "all", "--concurrency", "10")
        failed = [each for each in first["result"]["hosts"] if each["outcome"] != "committed"]
        assert first["exit"] == 0, failed
        assert first["result"]["summary"]["committed"] == 50
        assert project.pages() == [one] * 50
        again = project.document("deploy", "prod", "--strategy", "all")
        assert again["exit"] == 0
        assert again["result"]["summary"]["unchanged"] == 50
        assert again["result"]["summary"]["sent"] == 0
