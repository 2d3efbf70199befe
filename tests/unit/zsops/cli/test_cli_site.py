"""`--site`: of several sites one is planned, deployed, looked at; the others stay as they are."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from support.command_line import Zsops
from support.memory_fleet import MemoryFleet
from support.trees import write_tree

CONFIG = """\
version: 1
project: shop
sites:
  blog: {src: blog, checks: [{path: /index.html, body_contains: blog}]}
  docs: {src: docs, checks: [{path: /index.html, body_contains: docs}]}
  solo: {src: solo}
strategies:
  asks: {waves: [canary, 100%], promote: manual}
environments:
  prod:
    strategy: asks
    hosts:
      web1: {addr: 192.0.2.1, groups: [canary]}
      web2: {addr: 192.0.2.2}
    instances:
      web:
        listen: {https: "{addr}:8443"}
        sites: {blog: [acme.org, www.acme.org], docs: [docs.acme.org]}
      solo: {listen: {https: "{addr}:8444"}, site: solo, on: web2}
"""
DOCS = ("deploy", "prod", "--yes", "--strategy", "all", "--site", "docs")


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    made = MemoryFleet(tmp_path)
    (tmp_path / "zsops.yaml").write_text(CONFIG)
    for name in ("blog", "docs", "solo"):
        _write(made, name, 1)
    return made


def _write(shop: MemoryFleet, site: str, number: int) -> None:
    text = f'<title>{site} {number}</title><a href="/page.html">'.encode()
    write_tree(shop.directory / site, {"index.html": text})


def _served(shop: MemoryFleet, host: str = "web1") -> tuple[str, ...]:
    with tarfile.open(fileobj=io.BytesIO(shop.page(host))) as archive:
        names = [f"sites/{site}/index.html" for site in ("blog", "docs")]
        files = [archive.extractfile(name) for name in names]
        return tuple(each.read().decode()[7:13] for each in files if each is not None)


def _edit(shop: MemoryFleet, old: str, new: str) -> None:
    file = shop.directory / "zsops.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def _deploy(zsops: Zsops, *arguments: str) -> int:
    return zsops("deploy", "prod", "--yes", "--strategy", "all", *arguments).code


def test_only_the_site_that_is_meant_changes(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "blog", 2)
    _write(shop, "docs", 2)
    plan = zsops("--site", "blog", "plan", "prod").out
    assert [each.strip() for each in plan.splitlines() if "docs" in each] == [
        f"site docs  {_digest(shop, 'docs')}  stays as it is"
    ] * 2
    assert "~ sites/blog/index.html" in plan
    assert "solo" not in plan
    assert _deploy(zsops, "--site", "blog") == 0
    assert (_served(shop), _served(shop, "web2")) == (("blog 2", "docs 1"),) * 2
    # The others' sources are as good as not there: they need not even build.
    (shop.directory / "docs" / "index.html").unlink()
    _write(shop, "blog", 3)
    assert _deploy(zsops, "--site", "blog") == 0
    _write(shop, "docs", 2)
    assert _deploy(zsops) == 0
    assert _served(shop) == ("blog 3", "docs 2")


def test_what_is_in_service_already_is_left_alone(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "docs", 2)
    assert zsops("plan", "prod", "--site", "blog", "--detailed-exitcode").code == 0
    assert zsops("plan", "prod", "--site", "docs", "--detailed-exitcode").code == 3
    assert _deploy(zsops, "--site", "docs") == 0
    said = zsops(*DOCS, "--json").document
    assert [each["outcome"] for each in said["result"]["hosts"]] == ["unchanged", "unchanged"]
    # Put together on the hosts, it is what a deployment of them all would be.
    assert zsops("plan", "prod", "--detailed-exitcode").code == 0
    shop.of("web1").daemon.crash("web")
    said = zsops(*DOCS, "--json").document
    outcomes = {each["host"]: each["outcome"] for each in said["result"]["hosts"]}
    assert outcomes == {"web1": "committed", "web2": "unchanged"}


def test_the_other_sites_are_not_judged(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _edit(shop, "body_contains: docs", "body_contains: not yet")
    _write(shop, "blog", 2)
    assert _deploy(zsops, "--site", "blog") == 0
    _edit(shop, "body_contains: blog", "body_contains: nor this")
    _write(shop, "blog", 3)
    assert _deploy(zsops, "--site", "blog") != 0
    assert _served(shop) == ("blog 2", "docs 1")


def test_links_to_a_page_that_goes_are_those_of_the_site(shop: MemoryFleet, zsops: Zsops) -> None:
    write_tree(shop.directory / "blog", {"page.html": b"x"})
    assert _deploy(zsops) == 0
    (shop.directory / "blog" / "page.html").unlink()
    assert zsops("plan", "prod", "--site", "blog").out.count("1 internal link still points") == 2


def test_what_concerns_all_sites_is_refused(shop: MemoryFleet, zsops: Zsops) -> None:
    def refused() -> str:
        said = zsops("deploy", "prod", "--yes", "--site", "blog")
        assert said.code == 2
        assert "leave out `--site`" in said.err
        return said.err

    assert "nothing is deployed to `web` on `web1` yet" in refused()
    assert _deploy(zsops) == 0
    _write(shop, "blog", 2)
    _edit(shop, "www.acme.org", "blog.acme.org")
    assert "addresses or host names of `web` on `web1` would change" in refused()
    _edit(shop, ", docs: [docs.acme.org]", "")
    assert "`web` on `web1` serves `docs` as well" in refused()
    assert _served(shop) == ("blog 1", "docs 1")


def test_a_site_that_is_new_beside_others_is_refused(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _edit(shop, "docs: [docs.acme.org]}", "docs: [docs.acme.org], solo: [solo.acme.org]}")
    said = zsops("deploy", "prod", "--yes", "--site", "solo", "--on", "web1")
    assert said.code == 2
    assert "`web` on `web1` does not serve site `solo` beside others yet" in said.err


def test_an_instance_with_one_site_is_deployed_as_ever(shop: MemoryFleet, zsops: Zsops) -> None:
    said = zsops("deploy", "prod", "--yes", "--site", "solo", "--json").document
    assert [(e["host"], e["outcome"]) for e in said["result"]["hosts"]] == [("web2", "committed")]
    assert "web" not in shop.of("web2").daemon.running


def test_a_saved_plan_is_for_its_site(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "blog", 2)
    _write(shop, "docs", 2)
    assert zsops("plan", "prod", "--site", "blog", "--out", "p.json").code == 0
    assert json.loads((shop.directory / "p.json").read_text())["site"] == "blog"
    stale = zsops("deploy", "prod", "--plan", "p.json", "--site", "docs")
    assert stale.code == 11
    assert "for site `blog` alone, not for site `docs` alone" in stale.err
    assert zsops("deploy", "prod", "--plan", "p.json", "--strategy", "all").code == 0
    assert _served(shop) == ("blog 2", "docs 1")


def test_a_first_wave_is_promoted_and_taken_back_for_the_site(
    shop: MemoryFleet, zsops: Zsops
) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "blog", 2)
    _write(shop, "docs", 2)
    assert zsops("deploy", "prod", "--yes", "--site", "blog").code == 14
    assert (_served(shop), _served(shop, "web2")) == (("blog 2", "docs 1"), ("blog 1", "docs 1"))
    assert zsops("promote", "prod", "--site", "blog").code == 0
    assert _served(shop, "web2") == ("blog 2", "docs 1")
    assert zsops("deploy", "prod", "--yes", "--site", "docs").code == 14
    assert zsops("abort", "prod", "--site", "docs").code == 0
    assert _served(shop) == ("blog 2", "docs 1")


def test_a_wave_is_looked_at_again_after_its_soak(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "blog", 2)
    assert _deploy(zsops, "--site", "blog", "--batch", "1,100%", "--soak", "10ms") == 0
    assert _served(shop, "web2") == ("blog 2", "docs 1")


def test_one_site_goes_back(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "blog", 2)
    assert _deploy(zsops, "--site", "blog") == 0
    assert zsops("rollback", "prod", "--site", "blog").code == 0
    assert _served(shop) == ("blog 1", "docs 1")


def test_looks_are_at_instances_that_serve_the_site(shop: MemoryFleet, zsops: Zsops) -> None:
    assert _deploy(zsops) == 0
    _write(shop, "docs", 2)
    assert _deploy(zsops, "--site", "docs") == 0

    def instances(*command: str, of: str) -> set[tuple[str, str]]:
        found = zsops(*command, "prod", "--site", "solo", "--json").document["result"][of]
        return {(each["host"], each["instance"]) for each in found}

    for command, of in (("status", "instances"), ("history", "entries"), ("drift", "instances")):
        assert instances(command, of=of) == {("web2", "solo")}
    assert zsops("logs", "prod", "--site", "solo", "--json").document["result"]["lines"] == []
    told = zsops("diff", "1", "2", "-e", "prod", "--site", "docs").out
    assert "~ sites/docs/index.html" in told
    assert "solo" not in told
    told = zsops("diff", "1", "2", "-e", "prod", "--site", "blog").out
    assert told == "web on web1: the same files\nweb on web2: the same files\n"


def test_building_takes_it_too(zsops: Zsops) -> None:
    built = zsops("--site", "blog", "build", "--json").document["result"]["sites"]
    assert [each["site"] for each in built] == ["blog"]
    said = zsops("build", "docs", "--site", "blog")
    assert (said.code, "two sites are named: `docs` and `blog`" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "prod", "--site", "blgo"), "did you mean `blog`?"),
        (("status", "--site", "docks", "prod"), "no site `docks`"),
        (("build", "--site", "blgo"), "did you mean `blog`?"),
        (("plan", "prod", "--site", "solo", "--on", "web1"), "that is meant serves site `solo`"),
        (("tls", "--site", "blog", "status"), "`tls` takes no `--site`"),
        (("exec", "--site", "blog", "--", "true"), "`exec` takes no `--site`"),
    ],
)
def test_what_is_refused(zsops: Zsops, arguments: tuple[str, ...], said: str) -> None:
    ended = zsops(*arguments)
    assert (ended.code, said in ended.err) == (2, True), ended


def _digest(shop: MemoryFleet, site: str) -> str:
    current = shop.of("web1").service().observe("web").current
    assert current is not None
    return next(each.digest for each in current.sites if each.name == site)[7:11]
