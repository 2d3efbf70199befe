"""Links of new pages to addresses that a release no longer has."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.pack.pattern import parse_pattern
from zsops.host.messages import SitePart
from zsops.plan.links import Address, LinkCount, PageLinks, addresses, gone, links_to, placed

ALONE = (SitePart("shop", "", ""),)
BOTH = (SitePart("blog", "sites/blog/", ""), SitePart("docs", "sites/docs/", ""))
HOSTS = {"acme.org": "blog", "www.acme.org": "blog", "docs.acme.org": "docs"}

name = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=4
).filter(lambda each: each not in (".", "..") and each == each.strip())
#: Names as people have them, and some that must be escaped in a link.
names = st.one_of(st.sampled_from(["a", "b", "index.html", "a b", "50%", "why?", "#1"]), name)
files = st.lists(names, min_size=1, max_size=4).map("/".join)


def _counted(pages: Mapping[str, str], sites: tuple[SitePart, ...] = ALONE) -> dict[Address, int]:
    counter = LinkCount(sites, HOSTS if len(sites) > 1 else {})
    for path, text in pages.items():
        counter.page(path, text.encode())
    return dict(counter.found)


@pytest.mark.parametrize(
    ("page", "html", "target"),
    [
        ("a/b.html", '<a href="c.html">', "a/c.html"),
        ("a/b.html", '<a href="./../c/">', "c/"),
        ("a/b.html", '<a href="/c">', "c"),
        ("a/b.html", "<A HREF=c.html>", "a/c.html"),
        ("a/index.html", '<a href=" c.html\n">', "a/c.html"),
        ("a/index.html", '<a href="?x=1#top">', "a/index.html"),
        ("a.html", '<a href="b.html?x=1&amp;y=2#z">', "b.html"),
        ("a.html", '<a href="caf%C3%A9/%2525.html">', "café/%25.html"),
        ("a.html", '<a href="a&amp;b.html">', "a&b.html"),
        ("a.html", '<link rel=alternate href="/feed.xml">', "feed.xml"),
        ("a.html", '<img src="b.png"/>', "b.png"),
        ("a.html", '<base href="/deep/"><script src="x.js"></script>', "deep/x.js"),
        ("a.html", '<base target=_top><base href="x/"><base href="y/"><a href=z>', "x/z"),
        ("a%20b/c?.html", '<a href="d">', "a%20b/d"),
        ("a.html", '<iframe src="/x//y/">', "x//y/"),
    ],
)
def test_a_link_leads_where_a_browser_goes(page: str, html: str, target: str) -> None:
    assert _counted({page: html}) == {("shop", target): 1}


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://elsewhere.org/a">',
        '<a href="//elsewhere.org/a">',
        '<a href="mailto:ana@acme.org">',
        '<a href="javascript:void(0)">',
        '<a href="data:text/plain,a">',
        '<a href="https://[::1/">',
        "<a href>",
        "<a href=''>",
        '<a name="x">',
        '<p title="/a">/a</p>',
        '<!-- <a href="/a"> -->',
        '<![if IE <a href="/a">',
        '<script>"<a href=/a>"</script>',
        '<base href="https://cdn.example/"><img src="a.png">',
    ],
)
def test_what_is_no_link_of_the_site(html: str) -> None:
    assert _counted({"x.html": html}) == {}


def test_every_candidate_of_a_srcset_is_a_link() -> None:
    html = '<img src=s.png srcset="s.png 1x, m.png 2x,\n l.png  3x">'
    assert _counted({"p/x.html": html}) == {
        ("shop", "p/s.png"): 2,
        ("shop", "p/m.png"): 1,
        ("shop", "p/l.png"): 1,
    }


def test_links_from_site_to_site_are_internal_by_host_name() -> None:
    found = _counted(
        {
            "sites/docs/a/index.html": '<a href="https://WWW.acme.org:443/old"><a href="../x">',
            "sites/blog/index.html": '<a href="http://docs.acme.org/y"><a href="/old">',
        },
        BOTH,
    )
    assert found == {("blog", "old"): 2, ("docs", "x"): 1, ("docs", "y"): 1}


@given(st.lists(st.tuples(files, files, st.sampled_from(["", "?q=1", "#f", "?q#f"])), max_size=8))
def test_relative_links_count_for_the_file_they_lead_to(
    links: list[tuple[str, str, str]],
) -> None:
    """Links written as a generator writes them are found again at the file, each once."""
    pages: dict[str, str] = {}
    for page, target, rest in links:
        here, there = (posixpath.dirname(f"/{each}") for each in (page, target))
        folder = posixpath.relpath(there, here)
        written = f"{quote(folder)}/{quote(posixpath.basename(target))}{rest}"
        pages[page] = pages.get(page, "") + f'<a href="{written}">'
    made = PageLinks(_counted(pages))
    for target in {each[1] for each in links}:
        wanted = sum(1 for each in links if each[1] == target)
        assert made.counts.get(("shop", target), 0) == wanted
        assert links_to(("shop", target), made) >= wanted
    assert sum(made.counts.values()) == len(links)


@given(st.lists(files, max_size=6, unique=True), st.lists(files, max_size=6, unique=True))
def test_an_address_is_gone_when_no_file_answers_for_it(old: list[str], new: list[str]) -> None:
    before, after = [("shop", each) for each in old], [("shop", each) for each in new]
    found = gone(before, after)
    assert found.keys() <= set(before) - set(after)
    for file in before:
        answered = any(addresses(file)[0] in addresses(each) for each in after)
        assert (file in found) is not answered


@given(
    st.lists(
        st.sampled_from(
            b"<,>,<!,<![,]]>,<!--,-->,</,<?,&#,',\",<a href=,<script>,=, ,a,\xff,\0".split(b",")
        ),
        max_size=12,
    ).map(b"".join),
)
def test_whatever_stands_in_a_page_it_is_read(content: bytes) -> None:
    LinkCount(ALONE, {}).page("x", content + b"<a href=/y>")


@pytest.mark.parametrize(
    "part", [b"<a ", b"<", b"<!--", b"<![", b"<script>", b"<a href='", b"</", b"<!doctype ["]
)
def test_a_tag_that_never_ends_is_looked_at_once(part: bytes) -> None:
    # A parser that begins anew at each of them is not done within the test's ten minutes.
    counter = LinkCount(ALONE, {})
    counter.page("x", b"<a href=/y>" + part * ((1 << 18) // len(part)))
    assert dict(counter.found) == {("shop", "y"): 1}


@given(st.binary(max_size=300), st.text(max_size=20))
def test_whatever_a_page_holds_it_is_read(content: bytes, path: str) -> None:
    LinkCount(ALONE, {}).page(path or "x", b"<a href='" + content + b"'><img srcset=" + content)


def test_addresses_of_a_file() -> None:
    assert addresses(("s", "index.html")) == (("s", ""), ("s", "index.html"))
    assert addresses(("s", "a/index.html")) == (("s", "a/"), ("s", "a/index.html"), ("s", "a"))
    assert addresses(("s", "a/b.html")) == (("s", "a/b.html"),)
    assert addresses(("s", ".zeroserve/scripts/a.c")) == ()


def test_a_coded_form_has_no_address_of_its_own() -> None:
    old = [("s", "a.css"), ("s", "a.css.br"), ("s", "b.gz")]
    assert gone(old, []) == {("s", "a.css"): ("s", "a.css"), ("s", "b.gz"): ("s", "b.gz")}


def test_files_are_placed_in_the_site_whose_root_they_lie_below() -> None:
    assert placed("sites/blog/a", BOTH) == ("blog", "a")
    assert placed("sites/other/a", BOTH) == ("", "sites/other/a")
    assert placed("sites/blog/a", ALONE) == ("shop", "sites/blog/a")


def test_a_redirect_of_the_site_leads_on() -> None:
    links = PageLinks({}, moved=(("blog", parse_pattern("/old/*")),))
    assert links.leads_on(("blog", "old/a/"))
    assert not links.leads_on(("docs", "old/a/"))
    assert not links.leads_on(("blog", "older"))
