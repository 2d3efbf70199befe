"""Links: where those of a release's pages lead, and which addresses a release no longer has. Pure.

An address is a site and a decoded path in it without its first slash: `blog/` is what a visitor
asks for as `https://HOST/blog/`. The server sends `blog/index.html` for it, and leads from `blog`
to it. A link is an attribute of HTML that makes a browser fetch something, or go there on a click.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from zeroserve.pack.pattern import Pattern
from zsops.host.messages import SitePart

_INDEX = "index.html"
#: Endings of the coded forms of a file, which have no address of their own.
_CODED = (".br", ".gz", ".zst")
_PRIVATE = ".zeroserve/"
#: Attributes that hold an address, by element (HTML Living Standard, 4.1.1 and the index of
#: attributes). `srcset` holds several.
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "a": frozenset({"href"}),
    "area": frozenset({"href"}),
    "link": frozenset({"href"}),
    "img": frozenset({"src", "srcset"}),
    "source": frozenset({"src", "srcset"}),
    "script": frozenset({"src"}),
    "iframe": frozenset({"src"}),
    "embed": frozenset({"src"}),
    "audio": frozenset({"src"}),
    "video": frozenset({"src", "poster"}),
    "track": frozenset({"src"}),
    "input": frozenset({"src"}),
    "object": frozenset({"data"}),
    "form": frozenset({"action"}),
}

Address = tuple[str, str]


@dataclass(frozen=True)
class PageLinks:
    """Where the links of a new release's pages lead, with the number of links to each.

    `unread`: pages that were not looked at. `moved`: what redirects of a site match.
    """

    counts: Mapping[Address, int]
    unread: int = 0
    moved: tuple[tuple[str, Pattern], ...] = ()

    def leads_on(self, address: Address) -> bool:
        """Whether a redirect of the site is for it."""
        site, path = address
        return any(name == site and each.matches(path.strip("/")) for name, each in self.moved)


@dataclass
class LinkCount:
    """Counts the links of one page after the other. `hosts`: host name to site."""

    sites: tuple[SitePart, ...]
    hosts: Mapping[str, str]
    found: Counter[Address] = field(default_factory=Counter)

    def page(self, path: str, content: bytes) -> None:
        """Take in the page that lies at `path` in the release. Never fails, whatever it holds."""
        site, name = placed(path, self.sites)
        reader = _Reader()
        # Not closed: a tag that never ends is none, and the parser would look for its end again and
        # again, in quadratic time.
        reader.feed(content.decode("utf-8", "replace"))
        # A name that nobody can have stands for "the host this page was asked for at".
        here = urljoin(f"https://{_HERE}/{_escaped(name)}", reader.base)
        for link in reader.links:
            target = self._target(site, here, link)
            if target is not None:
                self.found[target] += 1

    def _target(self, site: str, here: str, link: str) -> Address | None:
        """The address; None for one of another server, or of no server at all."""
        try:
            parts = urlsplit(urljoin(here, link.strip()))
            host = parts.hostname
        except ValueError:  # no address, for a browser neither
            return None
        if parts.scheme not in ("http", "https") or host is None:
            return None
        owner = site if host == _HERE else self.hosts.get(host)
        return None if owner is None else (owner, _path(parts))


_HERE = "here.invalid"


class _Reader(HTMLParser):
    """The links of a page, as they are written, and its `<base>`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)  # text is not wanted
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "base":
            self.base = self.base or next(
                (value or "" for name, value in attrs if name == "href"), ""
            )
        wanted = _ATTRIBUTES.get(tag)
        if wanted is None:
            return
        for name, value in attrs:
            if name in wanted and value:
                self.links += list(_candidates(value)) if name == "srcset" else [value]

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """`<![if IE]>` is a comment to a browser; the library's own method may not take it."""
        return self.parse_bogus_comment(i, report)


def placed(path: str, sites: Iterable[SitePart]) -> Address:
    """The site a file of a release belongs to (none: an empty name), and its path there."""
    best = max(
        (each for each in sites if path.startswith(each.root)),
        key=lambda each: len(each.root),
        default=None,
    )
    return ("", path) if best is None else (best.name, path.removeprefix(best.root))


def addresses(file: Address) -> tuple[Address, ...]:
    """Where a file of a site is found, the address it is known by first; none for a private one."""
    site, path = file
    if path.startswith(_PRIVATE):
        return ()
    folder, slash, name = path.rpartition("/")
    if name != _INDEX:
        return ((site, path),)
    # The server sends a folder without its slash on to the one with it.
    bare = ((site, folder),) if slash else ()
    return ((site, folder + slash), (site, path), *bare)


def gone(old: Iterable[Address], new: Iterable[Address]) -> dict[Address, Address]:
    """Files of `old` whose address nothing of `new` has: file to address."""
    before = set(old)
    there = {address for file in new for address in addresses(file)}
    found = {}
    for file in before:
        known = addresses(file)
        if known and known[0] not in there and not _is_coded(file, before):
            found[file] = known[0]
    return found


def links_to(file: Address, links: PageLinks) -> int:
    """Links that lead to it, however they are written."""
    return sum(links.counts.get(each, 0) for each in addresses(file))


def _is_coded(file: Address, files: set[Address]) -> bool:
    site, path = file
    return any(path.endswith(each) and (site, path.removesuffix(each)) in files for each in _CODED)


def _path(parts: SplitResult) -> str:
    return unquote(parts.path).removeprefix("/")


def _escaped(name: str) -> str:
    """A path in which `?`, `#` and `%` are part of a file's name."""
    return name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")


def _candidates(srcset: str) -> Iterator[str]:
    """`a.png 1x, b.png 2x`: the addresses."""
    for each in srcset.split(","):
        words = each.split()
        if words:
            yield words[0]
