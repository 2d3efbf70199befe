"""`zsops dev`: the project's own build, run at every change of what the site is made from."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from support.dev import Dev, OpenPage, developing
from support.polling import wait_until
from support.process import PROGRAMS, Program, run
from support.trees import write_tree

pytestmark = [pytest.mark.e2e]

CONFIG = f"""\
version: 1
project: shop
sites:
  shop:
    src: pages
    build: {{run: ["{sys.executable}", make.py], out: pages/made, inputs: [prices.txt, "parts/**"]}}
    exclude: ["*.map"]
  plain: {{src: plain}}
"""
#: What generators do: the sources go in, the site comes out, in a folder that is made anew.
MAKE = """\
import pathlib, shutil
out = pathlib.Path("pages/made")
shutil.rmtree(out, ignore_errors=True)
out.mkdir()
price = pathlib.Path("prices.txt").read_text()
page = pathlib.Path("pages/index.in").read_text().replace("PRICE", str(int(price)))
out.joinpath("index.html").write_text(page)
out.joinpath("index.map").write_text("left out")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(
        tmp_path / "project",
        {
            "zsops.yaml": CONFIG.encode(),
            "make.py": MAKE.encode(),
            "pages/index.in": b"<p>only PRICE\n",
            "prices.txt": b"7",
            "parts/.keep": b"",
            "plain/index.html": b"<p>plain\n",
        },
    )


def _developing(project: Path, site: str) -> AbstractContextManager[Dev]:
    argv = [PROGRAMS / "zsops", "-C", project, "dev", site, "--http", "--port", "0"]
    return developing(argv, project.parent / "log")


@pytest.fixture
def dev(project: Path) -> Iterator[Dev]:
    with _developing(project, "shop") as running:
        yield running


def test_a_change_of_source_or_input_is_built_and_shown(dev: Dev, project: Path) -> None:
    _, _, body = dev.get("/")
    assert body.startswith(b"<p>only 7\n")
    assert dev.get("/index.map")[0] == 404
    with closing(OpenPage(body)) as page:
        assert page.next() == ("site", page.built)

        (project / "prices.txt").write_text("8")
        assert page.next_named("site") != page.built
        assert dev.get("/")[2].startswith(b"<p>only 8\n")
        assert f"changed: {project / 'prices.txt'}" in dev.program.said

        (project / "pages" / "index.in").write_text("<p>now PRICE\n")
        page.next_named("site")
        assert dev.get("/")[2].startswith(b"<p>now 8\n")


def test_a_build_that_fails_is_shown_and_the_last_good_one_stays(dev: Dev, project: Path) -> None:
    with dev.open() as page:
        assert page.next() == ("site", page.built)
        (project / "prices.txt").write_text("seven")
        fault = str(page.next_named("fault"))
        assert "ValueError: invalid literal for int() with base 10: 'seven'" in fault
        assert fault in dev.program.said
        assert dev.get("/")[2].startswith(b"<p>only 7\n")

        (project / "prices.txt").write_text("9")
        page.next_named("site")
        assert dev.get("/")[2].startswith(b"<p>only 9\n")


def test_what_the_build_writes_is_no_change(dev: Dev, project: Path) -> None:
    with dev.open() as page:
        page.next()
        for price in ("10", "11"):
            (project / "prices.txt").write_text(price)
            page.next_named("site")
        # Whoever takes the files of `out` for sources builds for ever: at least once more by now.
        (project / "pages" / "made" / "index.html").write_text("by hand")
        (project / "prices.txt").write_text("twelve")
        page.next_named("fault")
    assert "changed:" in dev.program.said
    assert "made" not in dev.program.said


def test_the_project_file_is_a_source_too(dev: Dev, project: Path) -> None:
    file = project / "zsops.yaml"
    write_tree(project, {"other/index.in": b"", "other/site/index.html": b"<p>other\n"})
    with dev.open() as page:
        page.next()
        file.write_text(CONFIG.replace("exclude:", "exclud:"))
        assert "zsops.yaml:7:5: unknown key `exclud`" in str(page.next_named("fault"))

        file.write_text(CONFIG.replace("src: pages", "src: other"))
        page.next_named("site")
        (project / "other" / "new.in").write_text("a folder that was not watched before")
        page.next_named("site")
        assert f"changed: {project / 'other' / 'new.in'}" in dev.program.said


def test_a_site_without_a_build_is_served_as_it_is(project: Path) -> None:
    with _developing(project, "plain") as dev, dev.open() as page:
        page.next()
        write_tree(project, {"plain/node_modules/a.js": b"1"})
        page.next_named("site")
        assert dev.get("/node_modules/a.js")[2] == b"1"


def test_an_interrupt_ends_a_build_with_all_that_it_started(project: Path) -> None:
    sleeper = """\
import os, pathlib, subprocess, time
child = subprocess.Popen(["sleep", "300"])
pathlib.Path("pids").write_text(f"{os.getpid()} {child.pid}")
time.sleep(300)
"""
    (project / "make.py").write_text(sleeper)
    argv = [PROGRAMS / "zsops", "-C", project, "dev", "shop", "--http", "--port", "0"]
    program = Program(argv, project.parent / "log")
    pids = project / "pids"
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, what="the build")
    program.send(signal.SIGINT)
    assert program.wait(30) == 0, program.said
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not _is_alive(pid), what=f"the end of {pid}")


def _is_alive(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dev"], "has 2 sites\nhint: name one: shop, plain"),
        (["dev", "plian"], "did you mean `plain`?"),
        (["dev", "plain", "--json"], "leave out `--json`"),
        (["dev", "plain", "--port", "65536"], "65535"),
    ],
)
def test_what_it_refuses(project: Path, arguments: list[str], said: str) -> None:
    ended = run([PROGRAMS / "zsops", "-C", project, *arguments])
    assert ended.code == 2
    assert said in ended.stderr + ended.text


def test_a_port_that_is_taken_is_named(project: Path) -> None:
    with _developing(project, "plain") as dev:
        argv = [PROGRAMS / "zsops", "-C", project, "dev", "plain", "--http", "--port"]
        ended = run([*argv, str(dev.port)])
    assert ended.code == 2
    assert str(dev.port) in ended.stderr
    assert "the server did not start" in ended.stderr
