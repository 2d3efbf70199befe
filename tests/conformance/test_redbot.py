"""REDbot, the lint for HTTP, asks for resources of every kind and looks for faults in the answers.

It fetches each one several times by itself: with conditions, with ranges, with and without codings.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pytest
from support.counterparts import absent
from support.process import PROGRAMS, run, zeroserve
from support.server import Server
from support.trees import HELLO, write_tree

pytestmark = [pytest.mark.e2e, pytest.mark.conformance, pytest.mark.xdist_group("redbot")]

#: Large enough that a coded form pays, and under a name that says that it never changes.
SCRIPT = b"".join(b"export const member%d = () => %d;\n" % (n, n * n) for n in range(400))
PAGE = b"<!doctype html><html lang=en><title>wrong</title><p>Its fields are wrong.</p>"
FILES = {
    "assets/app.3f2a9c1b.js": SCRIPT,
    "assets/plain.js": SCRIPT,
    "data/feed.json": b'{"version": "1", "items": []}',
    "data/site.webmanifest": b'{"name": "hello"}',
    "notes.txt": b"Plain text, with an umlaut: \xc3\xbc\n" * 40,
    "empty.txt": b"",
    "large.bin": bytes(range(256)) * 1024,
    "wrong.html": PAGE,
    "_headers": b"/wrong.html\n  Content-Location: http://[broken/\n  Age: soon\n"
    b"/notes.txt\n  Cache-Control: public, max-age=3600\n",
    "_redirects": b"/old /about/ 301\n/away https://example.com/ 302\n",
}
#: Path, and the status that REDbot must have seen first.
RESOURCES = {
    "/": 200,
    "/about/": 200,
    "/style.css": 200,
    "/ring.svg": 200,
    "/favicon.svg": 200,
    "/assets/app.3f2a9c1b.js": 200,
    "/assets/plain.js": 200,
    "/data/feed.json": 200,
    "/data/site.webmanifest": 200,
    "/notes.txt": 200,
    "/empty.txt": 200,
    "/large.bin": 200,
    "/about": 308,
    "/old": 301,
    "/away": 302,
    "/missing": 404,
    "/missing.js": 404,
    "/a%2Fb": 400,
}


@dataclass(frozen=True)
class Note:
    """One finding. `level` is GOOD, INFO, WARN or BAD."""

    name: str
    level: str
    summary: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("redbot")
    tree, tar = place / "tree", place / "site.tar"
    shutil.copytree(HELLO, tree)
    write_tree(tree, FILES)
    packed = zeroserve("pack", tree, "-o", tar, "--precompress", "br,zstd,gzip", timeout_s=60)
    assert packed.code == 0, packed.stderr
    with Server("--addr", "127.0.0.1:0", tar, place=place) as running:
        yield running


def ask(server: Server, path: str) -> tuple[int, list[Note]]:
    """The status that REDbot saw, and its notes, subordinate ones too."""
    program = PROGRAMS / "redbot"
    try:
        told = version("redbot")
    except PackageNotFoundError:
        absent("redbot")
    if not program.exists():
        absent("redbot")
    host, port = server.address("http")
    done = run([program, "-o", "har", f"http://{host}:{port}{path}"], timeout_s=60)
    assert done.code == 0, done.stderr
    entry = json.loads(done.text)["log"]["entries"][0]
    waiting, notes = list(entry["_red_messages"]), []
    while waiting:
        each = waiting.pop()
        waiting += each.get("subnotes", [])
        notes.append(Note(each["note_id"], each["level"], each["summary"]))
    print(f"redbot {told}: {path} {len(notes)} notes")
    return int(entry["response"]["status"]), notes


@pytest.mark.parametrize("path", RESOURCES)
def test_redbot_finds_nothing_bad(server: Server, path: str) -> None:
    status, notes = ask(server, path)
    assert status == RESOURCES[path]
    assert notes, "it has looked at nothing"
    for note in notes:
        if note.level == "WARN":
            print(f"warning: {note.summary} ({note.name})")
    assert not [note for note in notes if note.level == "BAD"]


def test_redbot_sees_that_coded_forms_are_negotiated(server: Server) -> None:
    names = {note.name for note in ask(server, "/assets/app.3f2a9c1b.js")[1]}
    assert "CONNEG_GZIP_GOOD" in names, names
    assert "RANGE_CORRECT" in names, names
    assert "INM_304" in names, names


def test_redbot_would_find_something_bad(server: Server) -> None:
    status, notes = ask(server, "/wrong.html")
    assert status == 200
    assert [note for note in notes if note.level == "BAD"], notes
