"""Reads the pages of a built tarball for their links, within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from zeroserve.pack.member_index import Member
from zeroserve.pack.pattern import Pattern, parse_pattern
from zeroserve.pack.rules import RULES_PATH, judge_rules
from zsops.build.site import BuiltSite
from zsops.errors import BuildError
from zsops.plan.links import LinkCount, PageLinks

#: A page of more bytes is no page that a person wrote links into.
PAGE_BYTES_MAX = 1 << 20
#: Of all pages together: a few seconds of parsing.
TOTAL_BYTES_MAX = 32 << 20
_HTML = "text/html"
_NOT_FOUND = 404


def page_links(built: BuiltSite, hosts: Mapping[str, str]) -> PageLinks:
    """The links of every page; `hosts`: host name to site. Raises BuildError."""
    counter = LinkCount(built.sites, hosts)
    unread = total = 0
    try:
        with built.tar.open("rb") as file:
            for member in built.members:
                if not member.content_type.startswith(_HTML):
                    continue
                total += member.size
                if member.size > PAGE_BYTES_MAX or total > TOTAL_BYTES_MAX:
                    unread += 1
                    continue
                counter.page(member.path, _content(file, member))
            rules = [
                (part.name, _content(file, member))
                for member in built.members
                for part in built.sites
                if member.path == part.root + RULES_PATH
            ]
    except OSError as error:
        raise BuildError(f"`{error.filename}`: {error.strerror}") from error
    moved = tuple((site, pattern) for site, rule in rules for pattern in _redirects(rule))
    return PageLinks(dict(counter.found), unread, moved)


def _content(file: BinaryIO, member: Member) -> bytes:
    file.seek(member.offset)
    return file.read(member.size)


def _redirects(content: bytes) -> Iterator[Pattern]:
    """Of rules for a path whatever its query, which show something there."""
    try:
        judge_rules(content)
    except ValueError:
        return  # the host's own check refuses the release, and says why
    for rule in json.loads(content).get("redirects", ()):
        if not rule.get("query") and rule["status"] != _NOT_FOUND:
            yield parse_pattern(rule["from"])
