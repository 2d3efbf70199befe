"""What a plan says of files that go, and of scripts: from the tarball to the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.memory_fleet import MemoryFleet
from support.trees import write_tree

from zsops.build import pages
from zsops.plan.model import InstancePlan
from zsops.report.plan_text import plan_text

BUNDLE = """\
version: 1
project: shop
sites:
  hello: {src: site}
  docs: {src: docs}
environments:
  local:
    instances:
      web:
        listen: {https: "127.0.0.1:8443"}
        sites: {hello: [acme.org], docs: [docs.acme.org]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    made = MemoryFleet.make(tmp_path)
    write_tree(
        tmp_path / "site",
        {
            "old/feed.xml": b"<feed/>",
            "old/index.html": b"old",
            "moved.html": b"moved",
            "p.html": b'<link href="old/feed.xml"><a href="/old/feed.xml#1"><a href="old">',
        },
    )
    return made


def _planned(shop: MemoryFleet) -> tuple[InstancePlan, list[str]]:
    plan = shop.fleet().plan()
    lines = [each.strip() for each in plan_text(plan).splitlines()]
    return plan.instances[0], [each for each in lines if each[:2] in ("+ ", "- ", "~ ", "… ")]


def _remove(shop: MemoryFleet, *paths: str) -> None:
    for each in paths:
        (shop.directory / "site" / each).unlink()


def test_a_plan_counts_links_to_what_goes(shop: MemoryFleet) -> None:
    shop.deploy()
    _remove(shop, "old/feed.xml", "old/index.html", "moved.html")
    step, lines = _planned(shop)
    assert lines == [
        "- moved.html  5 B  (URL disappears; no internal link points there)",
        "- old/feed.xml  7 B  (URL disappears; 2 internal links still point there)",
        "- old/index.html  3 B  (URL disappears; 1 internal link still points there)",
    ]
    assert [(each.gone.url, each.gone.links) for each in step.changes if each.gone] == [
        ("/moved.html", 0),
        ("/old/feed.xml", 2),
        ("/old/", 1),
    ]


def test_what_a_redirect_leads_on_does_not_disappear(shop: MemoryFleet) -> None:
    shop.deploy()
    _remove(shop, "old/feed.xml", "moved.html", "old/index.html")
    shop.write(_redirects="/moved.html /p.html\n/old/* id=5 /p.html\n/old/feed.xml /x 404\n")
    _, lines = _planned(shop)
    assert [each.partition("  ")[0] for each in lines if "disappears" in each] == [
        "- old/feed.xml",
        "- old/index.html",
    ]


def test_pages_beyond_the_bounds_are_owned_up_to(
    shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_BYTES_MAX", 1000)
    shop.write(**{"large.html": "<a href=/moved.html>" + "x" * 1000})
    shop.deploy()
    _remove(shop, "moved.html", "old/feed.xml")
    step, lines = _planned(shop)
    assert step.unread_pages == 1
    assert lines == [
        "- moved.html  5 B  (URL disappears; no internal link was found)",
        "- old/feed.xml  7 B  (URL disappears; at least 2 internal links still point there)",
    ]
    assert "links not looked at in 1 page: too large" in plan_text(shop.fleet().plan())
    monkeypatch.setattr(pages, "PAGE_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(pages, "TOTAL_BYTES_MAX", 100)
    assert _planned(shop)[0].unread_pages == 3


def test_a_script_that_changes_is_named(shop: MemoryFleet) -> None:
    def marked() -> set[str]:
        step, lines = _planned(shop)
        assert {each.path for each in step.changes if each.script} == {".zeroserve/scripts/auth.o"}
        return {each[0] for each in lines if each.endswith("(scripts change)")}

    shop.deploy()
    _script(shop, "return 0")
    assert marked() == {"+"}
    shop.deploy()
    _script(shop, "return 1")
    assert marked() == {"~"}
    _remove(shop, ".zeroserve/scripts/auth.c")
    assert marked() == {"-"}


def test_a_comment_in_a_script_changes_no_script(shop: MemoryFleet) -> None:
    _script(shop, "return 0")
    shop.deploy()
    _script(shop, "return 0", "// and a comment\n")
    step, _ = _planned(shop)
    assert step.changes
    assert not any(each.script for each in step.changes)


def _script(shop: MemoryFleet, text: str, more: str = "") -> None:
    source = f"#include <zeroserve.h>\nZS_ENTRY zs_u64 entry(void) {{ {text}; }}\n{more}"
    write_tree(shop.directory / "site", {".zeroserve/scripts/auth.c": source.encode()})


def test_what_is_not_shown_is_summed_up(shop: MemoryFleet) -> None:
    names = [f"z{number:02}.html" for number in range(30)]
    shop.write(**dict.fromkeys(names, "x"))
    shop.write(**{"q.html": "<a href=z25.html><a href=z01.html>"})
    shop.deploy()
    _remove(shop, *names)
    _, lines = _planned(shop)
    assert lines[-1] == (
        "… and 10 more, 10 URLs disappear, links point to 1 of them (`--full` lists them)"
    )


def test_links_between_sites_and_to_a_site_that_moves(shop: MemoryFleet) -> None:
    shop.deploy()
    write_tree(shop.directory / "docs", {"index.html": b'<a href="https://acme.org/moved.html">'})
    (shop.directory / "zsops.yaml").write_text(BUNDLE)
    step, _ = _planned(shop)
    # From one site to several: every file has another place in the tar, and the same URL.
    assert step.changes
    assert not [each for each in step.changes if each.gone]
    assert shop.deploy().exit == 0
    _remove(shop, "moved.html")
    step, lines = _planned(shop)
    assert lines == [
        "- sites/hello/moved.html  5 B  (URL disappears; 1 internal link still points there)"
    ]


def test_a_site_with_another_name_is_still_the_site(shop: MemoryFleet) -> None:
    shop.deploy()
    file = shop.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("hello", "renamed"))
    _remove(shop, "old/feed.xml")
    step, _ = _planned(shop)
    assert [(e.gone.url, e.gone.links) for e in step.changes if e.gone] == [("/old/feed.xml", 2)]


def test_no_page_is_read_when_nothing_goes(
    shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<a href=/nowhere>"})
    monkeypatch.setattr("zsops.build.builds.page_links", None)
    step, _ = _planned(shop)
    assert [each.path for each in step.changes] == ["index.html"]
