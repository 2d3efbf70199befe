"""A large site that others have made: Debian's manual of Python, fetched by list and by its links.

Once packed by `zeroserve pack`, once in a tar that GNU tar has made.
"""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from support.certs import Certificate
from support.client import Answer, Connection
from support.counterparts import GNU_TAR, python_manual, require
from support.process import run, zeroserve
from support.server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.conformance, pytest.mark.xdist_group("large-site")]

ORIGIN = "https://localhost"
SAMPLE = 100


@dataclass(frozen=True)
class Served:
    """A running server, and the files it should serve by their names in the tree."""

    server: Server
    tree: Path
    names: list[str]

    def url(self, name: str) -> str:
        return "/" + quote(name)

    def bytes_of(self, name: str) -> bytes:
        return (self.tree / name).read_bytes()


@pytest.fixture(scope="module", params=["ours", "gnu"])
def served(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Certificate,
) -> Iterator[Served]:
    tree, place = python_manual(), tmp_path_factory.mktemp("manual")
    tar = place / "site.tar"
    if request.param == "ours":
        packed = zeroserve("pack", tree, "-o", tar, timeout_s=300)
    else:
        packed = run([require(GNU_TAR), "-C", tree, "-cf", tar, "."])
    assert packed.code == 0, packed.stderr
    with tarfile.open(tar) as archive:
        names = [each.name.removeprefix("./") for each in archive if each.isfile()]
    names = [each for each in names if not each.startswith(".zeroserve/")]
    with Server(tar, "--disable-request-logging", place=place, certificate=certificate) as server:
        yield Served(server, tree, names)


def test_every_file_of_the_list_is_byte_equal(served: Served) -> None:
    on_disk = {p.relative_to(served.tree).as_posix() for p in served.tree.rglob("*") if p.is_file()}
    assert set(served.names) == on_disk
    assert len(served.names) >= 500
    with served.server.connect() as connection:
        assert connection.peer.version() == "TLSv1.3"  # type: ignore[attr-defined]
        for name in served.names:
            answer = connection.ask(served.url(name))
            assert answer.status == 200, name
            assert answer.body == served.bytes_of(name), name
    print(f"{len(served.names)} files fetched, every one byte-equal")


class Links(HTMLParser):
    """What a page leads to and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.found.append(value)


def links_of(url: str, page: bytes) -> set[str]:
    """The paths on our origin that a page refers to, without fragments and queries."""
    reader = Links()
    reader.feed(page.decode(errors="replace"))
    found = set()
    for link in reader.found:
        target = urlsplit(urljoin(ORIGIN + url, link.strip()))
        if (target.scheme, target.netloc) == ("https", "localhost"):
            found.add(target.path or "/")
    return found


def crawl(connection: Connection) -> tuple[dict[str, Answer], set[str], dict[str, str]]:
    """Follow every link from `/` on: (pages by path, redirects, what was 4xx and who linked it)."""
    waiting, from_page = ["/"], {"/": "the start"}
    pages: dict[str, Answer] = {}
    redirects: set[str] = set()
    lost: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        answer = connection.ask(path)
        new: set[str] = set()
        if answer.status == 308:
            redirects.add(path)
            new = {urlsplit(urljoin(ORIGIN + path, answer["location"])).path}
        elif answer.status >= 400:
            lost[path] = from_page[path]
        else:
            assert answer.status == 200, path
            pages[path] = answer
            if answer["content-type"].startswith("text/html"):
                new = links_of(path, answer.body)
        for each in sorted(new - from_page.keys()):
            from_page[each] = path
            waiting.append(each)
    return pages, redirects, lost


def test_a_crawler_finds_nothing_lost_that_the_tree_has(served: Served) -> None:
    with served.server.connect() as connection:
        pages, redirects, lost = crawl(connection)
    ours = {path: by for path, by in lost.items() if (served.tree / unquote(path[1:])).exists()}
    assert not ours, "the tree has these, and they were refused"
    assert len(pages) >= 480
    for path, answer in pages.items():
        file = served.tree / unquote(path[1:])
        assert answer.body == (file / "index.html" if file.is_dir() else file).read_bytes(), path
    for path in redirects:
        assert (served.tree / unquote(path[1:])).is_dir(), path
    print(f"{len(pages)} pages by links, {len(redirects)} redirects, {len(lost)} lost in the tree")


def sample(served: Served) -> list[str]:
    seed = 20_260_101
    print(f"sample drawn with seed {seed}")
    return random.Random(seed).sample(sorted(served.names), SAMPLE)


def test_head_is_get_without_its_body(served: Served) -> None:
    with served.server.connect() as connection:
        for name in sample(served):
            got = connection.ask(served.url(name))
            head = connection.ask(served.url(name), method="HEAD")
            assert head.status == 200
            assert {**head.fields, "date": ""} == {**got.fields, "date": ""}, name
            assert int(head["content-length"]) == len(served.bytes_of(name))
            assert got["accept-ranges"] == "bytes"


def test_ranges_are_the_right_bytes(served: Served) -> None:
    with served.server.connect() as connection:
        for name in sample(served):
            whole = served.bytes_of(name)
            size = len(whole)
            if size == 0:
                continue
            first, last = size // 3, min(size - 1, size // 2)
            forms = {
                f"bytes={first}-{last}": (first, last),
                f"bytes={first}-": (first, size - 1),
                f"bytes=-{min(7, size)}": (size - min(7, size), size - 1),
            }
            for form, (begin, end) in forms.items():
                part = connection.ask(served.url(name), fields={"Range": form})
                assert part.status == 206, (name, form)
                assert part.body == whole[begin : end + 1], (name, form)
                assert part["content-range"] == f"bytes {begin}-{end}/{size}"
            beyond = connection.ask(served.url(name), fields={"Range": f"bytes={size}-"})
            assert beyond.status == 416
            assert beyond["content-range"] == f"bytes */{size}"


def test_what_the_client_has_is_not_sent_again(served: Served) -> None:
    with served.server.connect() as connection:
        for name in sample(served):
            tag = connection.ask(served.url(name), method="HEAD")["etag"]
            for condition in (tag, f'"other", {tag}', f"W/{tag}", "*"):
                again = connection.ask(served.url(name), fields={"If-None-Match": condition})
                assert (again.status, again.body) == (304, b""), (name, condition)
                assert again["etag"] == tag
            other = connection.ask(served.url(name), fields={"If-None-Match": '"other"'})
            assert (other.status, other.body) == (200, served.bytes_of(name))


def test_tags_are_of_the_content_alone(served: Served) -> None:
    with served.server.connect() as connection:
        tags: dict[bytes, str] = {}
        for name in served.names:
            answer = connection.ask(served.url(name), method="HEAD")
            content = served.bytes_of(name)
            assert tags.setdefault(content, answer["etag"]) == answer["etag"], name
        assert len(set(tags.values())) == len(tags), "different content has different tags"
