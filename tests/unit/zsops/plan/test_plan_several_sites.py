"""Several sites of one instance: one release, plans that name each, one goes back alone."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest
from support.memory_fleet import MemoryFleet, ended

from zsops.config.load import UnknownName
from zsops.errors import NoSuchRelease
from zsops.host import messages as m

CONFIG = """\
version: 1
project: shop
sites:
  blog: {src: site, checks: [{path: /index.html, body_contains: blog}]}
  docs: {src: docs, checks: [{path: /index.html, body_contains: docs}]}
environments:
  local:
    instances:
      web:
        listen: {https: "127.0.0.1:8443"}
        sites: {blog: [acme.org, www.acme.org], docs: [docs.acme.org]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    made = MemoryFleet.make(tmp_path, CONFIG)
    (tmp_path / "docs").mkdir()
    _blog(made, 1)
    _docs(made, 1)
    return made


def _blog(shop: MemoryFleet, number: int) -> None:
    shop.write(**{"index.html": f"<title>blog {number}</title>"})


def _docs(shop: MemoryFleet, number: int) -> None:
    (shop.directory / "docs" / "index.html").write_text(f"<title>docs {number}</title>")


def _served(shop: MemoryFleet) -> tuple[str, str]:
    with tarfile.open(fileobj=io.BytesIO(shop.page())) as archive:
        names = [f"sites/{site}/index.html" for site in ("blog", "docs")]
        files = [archive.extractfile(name) for name in names]
        first, second = (each.read().decode()[7:13] for each in files if each is not None)
    return first, second


def _back(shop: MemoryFleet, site: str, to: str | None = None) -> int:
    return ended(shop.fleet().rollback(to, site=site)).exit


def _current(shop: MemoryFleet) -> m.ReleaseInfo:
    found = shop.host.service().observe("web").current
    assert found is not None
    return found


def test_both_sites_go_out_as_one_release(shop: MemoryFleet) -> None:
    assert shop.deploy().exit == 0
    assert _served(shop) == ("blog 1", "docs 1")
    assert [(each.name, each.root) for each in _current(shop).sites] == [
        ("blog", "sites/blog/"),
        ("docs", "sites/docs/"),
    ]
    assert shop.deploy().host.outcome == "unchanged"
    told = [(e.event, e.detail) for e in shop.host.service().history("web", 50)]
    assert ("committed", "sites blog, docs") in told


def test_a_plan_tells_of_each_site(shop: MemoryFleet) -> None:
    shop.deploy()
    (shop.directory / "docs" / "large.bin").write_bytes(random.Random(1).randbytes(300_000))
    shop.deploy()
    _docs(shop, 2)
    (step,) = shop.fleet().plan().instances
    assert [
        (each.site, each.old_digest == each.new_digest, each.changed) for each in step.sites
    ] == [
        ("blog", True, 0),
        ("docs", False, 1),
    ]
    assert [each.path for each in step.changes] == ["sites/docs/index.html"]
    # What the host has of any site is not sent again.
    assert shop.deploy().host.sent < 10_000 < step.size


def test_one_site_goes_back_and_again_further(shop: MemoryFleet) -> None:
    for number in (1, 2, 3):
        _blog(shop, number)
        _docs(shop, number)
        assert shop.deploy().exit == 0
    assert _back(shop, "blog") == 0
    assert _served(shop) == ("blog 2", "docs 3")
    assert _back(shop, "blog") == 0
    assert _served(shop) == ("blog 1", "docs 3")
    with pytest.raises(NoSuchRelease, match="site `blog`"):
        _back(shop, "blog")
    # Built from the same parts, a later deployment has the very same bytes.
    _blog(shop, 1)
    assert shop.deploy().host.outcome == "unchanged"
    told = [each.detail for each in shop.host.service().history("web", 200)]
    assert any(each.startswith("rollback of site blog to that of 000002-") for each in told)
    assert any(each.startswith("site blog as in 000002-") for each in told)


def test_one_site_goes_to_a_named_release(shop: MemoryFleet) -> None:
    shop.deploy()
    first = _current(shop).release
    for number in (2, 3):
        _docs(shop, number)
        shop.deploy()
    assert _back(shop, "docs", first) == 0
    assert _served(shop) == ("blog 1", "docs 1")
    with pytest.raises(UnknownName):
        _back(shop, "dosc")


def test_a_failed_check_of_one_site_takes_both_back(shop: MemoryFleet) -> None:
    shop.deploy()
    _blog(shop, 2)
    (shop.directory / "docs" / "index.html").write_text("nothing here")
    done = shop.deploy()
    assert done.exit == 8
    assert done.host.error is not None
    assert "docs.acme.org/index.html" in done.host.error.message
    assert _served(shop) == ("blog 1", "docs 1")


def test_from_one_site_to_two_and_back(shop: MemoryFleet) -> None:
    file = shop.directory / "zsops.yaml"
    both = file.read_text()
    alone = both.replace(
        "{blog: [acme.org, www.acme.org], docs: [docs.acme.org]}", "{blog: [acme.org]}"
    )
    file.write_text(alone)
    assert shop.deploy().exit == 0
    assert [each.root for each in _current(shop).sites] == [""]
    file.write_text(both)
    assert shop.deploy().exit == 0
    (step,) = shop.fleet().plan().instances
    assert step.is_no_op
    file.write_text(alone)
    assert shop.deploy().exit == 0
