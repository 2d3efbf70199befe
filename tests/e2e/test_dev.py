"""`zeroserve dev`: a change is packed, loaded and told to open pages, and so is a fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from support.dev import Dev, OpenPage, developing, get
from support.process import PROGRAMS
from support.trees import write_tree

pytestmark = [pytest.mark.e2e]

GOOD = b"""#include <zeroserve.h>
ZS_ENTRY zs_u64 entry(void) {
  zs_meta_set(ZS_STR("zs.response.header.x-script"), ZS_STR("runs"));
  return 0;
}
"""
PAGE = b"<!doctype html>\n<p>first\n"


def _developing(tree: Path, log: Path) -> AbstractContextManager[Dev]:
    return developing([PROGRAMS / "zeroserve", "dev", tree, "--addr", "127.0.0.1:0"], log)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(
        tmp_path / "site",
        {"index.html": PAGE, "style.css": b"p{}", ".zeroserve/scripts/a.c": GOOD},
    )


@pytest.fixture
def dev(tree: Path, tmp_path: Path) -> Iterator[Dev]:
    with _developing(tree, tmp_path / "log") as running:
        yield running


def test_a_change_is_shown_and_a_fault_lies_over_the_page(dev: Dev, tree: Path) -> None:
    status, headers, body = dev.get("/")
    assert (status, headers["x-script"]) == (200, "runs")
    assert body.startswith(PAGE)
    assert dev.get("/style.css")[2] == b"p{}"
    script = tree / ".zeroserve" / "scripts" / "a.c"
    with closing(OpenPage(body)) as page:
        assert page.next() == ("site", page.built)

        (tree / "index.html").write_bytes(b"<p>second\n")
        assert page.next_named("site") != page.built
        assert dev.get("/")[2].startswith(b"<p>second\n")

        script.write_bytes(GOOD.replace(b"return 0;", b"return 0"))
        assert "a.c:4:11: error: expected ';'" in str(page.next_named("fault"))
        assert "a.c:4:11: error: expected ';'" in dev.program.said
        assert dev.get("/")[0] == 200  # the former build goes on

        script.write_bytes(GOOD.replace(b'"runs"', b'"again"'))
        page.next_named("site")
        assert dev.get("/")[1]["x-script"] == "again"


def test_a_script_that_the_engine_refuses_is_told(dev: Dev, tree: Path) -> None:
    source = GOOD.replace(b"return 0", b"return zs_unheard_of()")
    with dev.open() as page:
        (tree / ".zeroserve" / "scripts" / "a.c").write_bytes(
            b"extern long zs_unheard_of(void);\n" + source
        )
        assert "zs_unheard_of" in str(page.next_named("fault"))
        assert dev.get("/")[1]["x-script"] == "runs"


def test_events_are_for_our_pages_only(dev: Dev) -> None:
    with dev.open() as page:
        assert get(page.port, page.url.path[:-1])[0] == 404


def test_a_folder_that_does_not_build_shows_why(tree: Path, tmp_path: Path) -> None:
    script = tree / ".zeroserve" / "scripts" / "a.c"
    script.write_bytes(b"int x = y;\n")
    with _developing(tree, tmp_path / "log") as running:
        with running.open() as page:
            name, text = page.next()
            assert (name, "a.c:1:9: error:" in str(text)) == ("fault", True)
            script.write_bytes(GOOD)
            page.next_named("site")
        assert running.get("/")[2].startswith(PAGE)
