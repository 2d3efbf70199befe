"""Another version of the daemon takes over on real hosts, under load: no request fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleet_project import Project
from support.polling import wait_until
from support.sshd import Farm, farm
from support.visitors import Visitors
from support.wheels import make_wheel

from zsops.host import in_use

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]


@pytest.fixture
def hosts() -> Iterator[Farm]:
    with farm(2, first=90) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, hosts: Farm) -> Project:
    made = Project.make(tmp_path, hosts)
    made.write("one")
    deployed = made.zsops("deploy", "prod")
    assert deployed.code == 0, deployed.stderr
    return made


def _versions(project: Project) -> list[str]:
    found = project.document("daemon", "status", "prod")["result"]["daemons"]
    return [each["version"] for each in found]


def _pids(project: Project) -> list[int]:
    found = project.document("daemon", "status", "prod")["result"]["daemons"]
    return [each["pid"] for each in found]


def _events(project: Project, *names: str) -> list[tuple[str, str]]:
    told = project.document("history", "prod", "--all", "-n", "500")["result"]["entries"]
    return [(each["event"], each["detail"]) for each in told if each["event"] in names]


def test_a_wheel_takes_over_under_load_and_a_bad_one_does_not(
    project: Project, hosts: Farm
) -> None:
    good = make_wheel(project.directory, "7.1.0")
    (old,) = set(_versions(project))
    with Visitors(project) as visitors:
        wait_until(lambda: sum(visitors.seen.values()) > 20, what="visitors")
        done = project.zsops("daemon", "upgrade", "prod", "--wheel", str(good), "--reason", "news")
        assert done.code == 0, done.stderr
        assert "wave 2 of 2" in done.stderr
        assert f"{old} -> 7.1.0" in done.stderr
        assert "the old daemon has drained" in done.stderr
        assert _versions(project) == ["7.1.0", "7.1.0"]
        for server in hosts.servers:  # what runs is known, so that it is never pruned
            assert in_use.versions(server.root) == {"7.1.0"}

        pids = _pids(project)
        again = project.zsops("daemon", "upgrade", "prod", "--version", "7.1.0")
        assert again.code == 0, again.stderr
        assert "nothing to do" in again.stderr
        assert _pids(project) == pids

        bad = make_wheel(project.directory, "7.2.0", broken=True)
        failed = project.zsops("daemon", "upgrade", "prod", "--wheel", str(bad))
        assert failed.code == 8, failed.stderr
        assert "by a test" in failed.stderr
        assert _pids(project) == pids

        back = project.zsops("daemon", "upgrade", "prod", "--version", old, "--drain", "5s")
        assert back.code == 0, back.stderr
        assert _versions(project) == [old, old]
        seen = sum(visitors.seen.values())
        wait_until(lambda: sum(visitors.seen.values()) > seen + 20, what="visitors")
    assert visitors.faults == []
    assert len(visitors.seen) == 1
    told = _events(project, "daemon-installed", "daemon-upgraded", "daemon-upgrade-failed")
    assert [name for name, _ in told].count("daemon-upgraded") == 4
    assert [name for name, _ in told].count("daemon-upgrade-failed") == 1
    audit = project.document("audit", "prod", "--verify")
    assert all(each["intact"] for each in audit["result"]["hosts"])


def test_a_deployment_brings_the_version_that_the_file_names(project: Project) -> None:
    wheel = make_wheel(project.directory, "7.3.0")
    file = project.directory / "zsops.yaml"
    file.write_text(
        f"daemon: {{version: 7.3.0, wheel: {wheel.name}, drain: 5s}}\n{file.read_text()}"
    )
    page = project.write("two")
    plan = project.zsops("plan", "prod", "--detailed-exitcode")
    assert plan.code == 3
    assert "-> 7.3.0, side by side; no connection dropped" in plan.text
    with Visitors(project) as visitors:
        done = project.zsops("deploy", "prod")
        assert done.code == 0, done.stderr
    assert visitors.faults == []
    assert project.pages() == [page] * 2
    assert _versions(project) == ["7.3.0", "7.3.0"]
    assert project.zsops("plan", "prod", "--detailed-exitcode").code == 0


def test_what_is_no_wheel_or_no_version_is_refused(project: Project) -> None:
    broken = project.directory / "zeroserve-7.4.0-py3-none-any.whl"
    broken.write_bytes(b"not a zip")
    refused = project.zsops("daemon", "upgrade", "prod", "--wheel", str(broken))
    assert refused.code == 5
    assert "cannot be read" in refused.stderr
    unknown = project.zsops("daemon", "upgrade", "prod", "--version", "9.9.9")
    assert unknown.code != 0
    assert "version 9.9.9 of the daemon is not on this host" in unknown.stderr
    none = project.zsops("daemon", "upgrade", "prod")
    assert none.code == 2
    assert "which version?" in none.stderr
