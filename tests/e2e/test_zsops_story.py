"""A site's whole life on real hosts, under load: first deployment to audit. No request fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleet_project import Project
from support.sshd import Farm, farm
from support.visitors import Visitors

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("load")]


@pytest.fixture
def hosts() -> Iterator[Farm]:
    with farm(3, first=80) as made:
        yield made


def test_from_the_first_deployment_to_the_audit(tmp_path: Path, hosts: Farm) -> None:
    project = Project.make(tmp_path, hosts)
    pages = [project.write("one")]
    assert project.zsops("init").code == 2  # there is a file: it is never overwritten
    assert project.zsops("check", "prod", "--live").code == 0
    assert project.zsops("build", "--check").code == 0
    assert project.zsops("plan", "prod", "--detailed-exitcode").code == 3
    assert project.zsops("deploy", "prod", "--reason", "first light").code == 0
    with Visitors(project) as visitors:
        pages.append(project.write("two"))
        second = project.zsops("deploy", "prod", "--reason", "new prices")
        assert second.code == 0, second.stderr
        assert "wave 2 of 2" in second.stderr

        bad = project.write("three")
        page = project.directory / "site" / "index.html"
        page.write_bytes(bad.replace(b"<title>", b"<div>"))  # the file's check wants a title
        broken = project.zsops("deploy", "prod", "--reason", "a mistake")
        assert broken.code == 8, broken.stderr
        assert project.pages() == [pages[1]] * 3

        pages.append(project.write("three"))
        assert project.zsops("deploy", "prod", "--reason", "mended").code == 0
        assert project.pages() == [pages[2]] * 3
        assert project.zsops("rollback", "prod", "--reason", "after all").code == 0
        assert project.pages() == [pages[1]] * 3
    assert visitors.faults == []
    known = {hashlib.sha256(each).hexdigest() for each in pages}
    mistake = hashlib.sha256(bad.replace(b"<title>", b"<div>")).hexdigest()
    # The bad release was in service on the first wave's host until its check found it out.
    assert set(visitors.seen) <= {*known, mistake}
    assert sum(visitors.seen.values()) > 50

    audit = project.document("audit", "prod", "--verify")
    assert audit["exit"] == 0
    assert all(each["intact"] for each in audit["result"]["hosts"])
    told = project.document("history", "prod", "-n", "500", "--all")["result"]["entries"]
    of_first = [
        (each["event"], each["why"])
        for each in told
        if each["host"] == "web80" and each["event"] in ("committed", "reverted")
    ]
    assert of_first == [
        ("committed", "first light"),
        ("committed", "new prices"),
        ("reverted", "a mistake"),
        ("committed", "mended"),
        ("committed", "after all"),
    ]
    assert json.dumps(told).count("a mistake") > 0
