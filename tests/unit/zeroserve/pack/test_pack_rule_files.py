"""`_headers` and `_redirects`: what they say, and where they are wrong."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_trees import pack_bytes, write_tree

from zeroserve.errors import PackRefused
from zeroserve.pack.headers_file import parse_headers
from zeroserve.pack.pattern import parse_pattern
from zeroserve.pack.redirects_file import parse_redirects
from zeroserve.pack.rules import (
    RESERVED,
    HeaderRule,
    RedirectRule,
    Rules,
    encode_rules,
    judge_rules,
)

HEADERS = [
    ("", []),
    ("# only a comment\n\n", []),
    ("/*\n  X-A: 1\n", [("/*", (("X-A", "1"),))]),
    ("\ufeff/*\r\n\tX-A:1  \r\n", [("/*", (("X-A", "1"),))]),
    (
        "/a/\n  X-A: 1\n  X-A: 2\n\n# c\n/b/:name\nX-B: a: b # no comment\n",
        [("/a", (("X-A", "1"), ("X-A", "2"))), ("/b/:name", (("X-B", "a: b # no comment"),))],
    ),
    ("/a%20b/%C3%BC  # c\n  X: y", [("/a b/ü", (("X", "y"),))]),
    ("/\n  X: y", [("/", (("X", "y"),))]),
]


@pytest.mark.parametrize(("text", "rules"), HEADERS)
def test_headers(text: str, rules: list[tuple[str, tuple[tuple[str, str], ...]]]) -> None:
    found = parse_headers("_headers", text.encode())
    assert found == [HeaderRule(path, fields) for path, fields in rules]
    judge_rules(encode_rules(Rules(headers=found)))


BAD_HEADERS = [
    ("  X-A: 1\n", "1:3", "before any path"),
    ("/a\n/b\n  X: 1", "1:1", "no header lines"),
    ("/a\n  X: 1\n/b\n# end", "3:1", "no header lines"),
    ("/a b\n  X: 1", "1:4", "stands alone"),
    ("/*.js\n  X: 1", "1:2", "`*` may only stand alone"),
    ("/*/a\n  X: 1", "1:2", "`*` may only stand alone"),
    ("/a/:\n  X: 1", "1:4", "placeholder's name"),
    ("/:a-b\n  X: 1", "1:2", "placeholder's name"),
    ("/:a/:a\n  X: 1", "1:5", "is there twice"),
    ("/:splat\n  X: 1", "1:2", "is what `*` captures"),
    ("/a/../b\n  X: 1", "1:4", "never matches"),
    ("/a?b\n  X: 1", "1:3", "cannot be part of a path"),
    ("/a%2\n  X: 1", "1:3", "begins an escape"),
    ("/a%2Fb\n  X: 1", "1:2", "may not stand for"),
    ("/%ff\n  X: 1", "1:2", "are not UTF-8"),
    ("https://a.example/*\n  X: 1", "1:1", "whole host"),
    ("/a\n  X 1", "2:3", "is `Name: value`"),
    ("/a\n  X Y: 1", "2:4", "is not a header name"),
    ("/a\n  : 1", "2:3", "is not a header name"),
    ("/a\n  ! X-A", "2:3", "taking a header back"),
    ("/a\n  X:\n", "2:5", "has no value"),
    ("/a\n  X: a\x01b\n", "2:7", "control character"),
    ("/a\n  Basic-Auth: me:secret", "2:3", "passwords are not supported"),
    ("/a\n  Content-Type: text/plain", "2:3", "sends one already"),
    *[(f"/a\n  {name}: x", "2:3", "cannot be set") for name in RESERVED],
]


@pytest.mark.parametrize(("text", "place", "what"), BAD_HEADERS)
def test_bad_headers(text: str, place: str, what: str) -> None:
    with pytest.raises(PackRefused) as caught:
        parse_headers("_headers", text.encode())
    judge_place(caught.value, "_headers", text, place, what)


def judge_place(error: PackRefused, file: str, text: str, place: str, what: str) -> None:
    assert error.code == "rules-syntax"
    first, shown, caret = error.message.split("\n")
    assert first.startswith(f"{file}:{place}: "), first
    assert what in first
    number, column = map(int, place.split(":"))
    line = text.split("\n")[number - 1].removesuffix("\r")
    assert re.sub(r"[\x00-\x08]", "?", line) == shown[2:]
    assert caret[2:].replace("\t", " ") == " " * (column - 1) + "^"


def redirect(
    path: str,
    target: str,
    status: int = 301,
    force: bool = False,
    query: tuple[tuple[str, str], ...] = (),
) -> RedirectRule:
    return RedirectRule(path, target, status, force, query)


REDIRECTS = [
    ("", []),
    ("# c\n   \n", []),
    ("/a /b", [redirect("/a", "/b")]),
    ("/a\t/b  302 # c", [redirect("/a", "/b", 302)]),
    ("/a/ /b 200!\r\n", [redirect("/a", "/b", 200, True)]),
    ("/n/:y/* /m/:splat?y=:y 308", [redirect("/n/:y/*", "/m/:splat?y=:y", 308)]),
    ("/s id=:id /i/:id", [redirect("/s", "/i/:id", query=(("id", ":id"),))]),
    (
        "/s a=1 b=:x /i/:x 303",
        [redirect("/s", "/i/:x", 303, query=(("a", "1"), ("b", ":x")))],
    ),
    ("/s empty= /i", [redirect("/s", "/i", query=(("empty", ""),))]),
    ("/a https://b.example:8443/x 307", [redirect("/a", "https://b.example:8443/x", 307)]),
    ("/a /Special:Search", [redirect("/a", "/Special:Search")]),
    ("/a /ü/%20 301", [redirect("/a", "/%C3%BC/%20")]),
    ("/a /ü 200", [redirect("/a", "/ü", 200)]),
    ("/* /gone.html 404", [redirect("/*", "/gone.html", 404)]),
    ("/a/* /b/:splat 301!", [redirect("/a/*", "/b/:splat", 301, True)]),
    ("/* https://b.example/:splat 301!", [redirect("/*", "https://b.example/:splat", 301, True)]),
]


@pytest.mark.parametrize(("text", "rules"), REDIRECTS)
def test_redirects(text: str, rules: list[RedirectRule]) -> None:
    found = parse_redirects("_redirects", text.encode())
    assert found == rules
    judge_rules(encode_rules(Rules(redirects=found)))


BAD_REDIRECTS = [
    ("a /b", "1:1", "begins with `/`"),
    ("/a", "1:3", "a target is missing"),
    ("/a 301", "1:7", "a target is missing"),
    ("/a b /c", "1:4", "expected a query parameter"),
    ("/a =b /c", "1:4", "expected a query parameter"),
    ("/a id=:1 /c", "1:7", "placeholder's name"),
    ("/a /b 418", "1:7", "status 418 is not supported"),
    ("/a /b moved", "1:7", "is no status"),
    ("/a /b 301 302", "1:11", "nothing may follow"),
    ("/a /b id=1", "1:7", "nothing may follow"),
    ("/ /us 302 Country=us", "1:11", "`Country` conditions are not supported"),
    ("/ /de Language=de", "1:7", "`Language` conditions are not supported"),
    ("/admin/* /login 302! Role=admin", "1:22", "`Role` conditions are not supported"),
    ("/api/* Signed=KEY /b 200", "1:8", "`Signed` conditions are not supported"),
    ("/a /b 301 Cookie=x", "1:11", "`Cookie` conditions are not supported"),
    ("http://a.example/* /b", "1:1", "whole host"),
    ("/a ftp://b/", "1:4", "a target begins with"),
    ("/a https:///x", "1:4", "a target begins with"),
    ("/a //b.example", "1:4", "would name another host"),
    ("/a /b#c", "1:6", "a fragment"),
    ("/api/* https://b.example/:splat 200", "1:8", "cannot fetch from another server"),
    ("/a /b?c=1 200", "1:6", "a file has no query"),
    ("/a/:x /b/:y", "1:10", "is called `:y`"),
    ("/a /b/:splat", "1:7", "is called `:splat`"),
    ("/a/* /b/*", "1:9", "means nothing in a target"),
    ("/a*b /c", "1:3", "`*` may only stand alone"),
    ("/a /a/ 301", "1:4", "leads to itself"),
    ("/a/* /a/:splat 302", "1:6", "leads to itself"),
    ("/* /soon 302!", "1:4", "leads to itself"),
    ("/ok /b\n\t/a /b 301x", "2:8", "is no status"),
]


@pytest.mark.parametrize(("text", "place", "what"), BAD_REDIRECTS)
def test_bad_redirects(text: str, place: str, what: str) -> None:
    with pytest.raises(PackRefused) as caught:
        parse_redirects("_redirects", text.encode())
    judge_place(caught.value, "_redirects", text, place, what)


def test_what_is_no_utf8_is_shown_where_it_is() -> None:
    with pytest.raises(PackRefused, match=r"_redirects:2:4: this is not UTF-8"):
        parse_redirects("_redirects", b"/a /b\n/b \xff 301")


def test_a_long_line_is_shown_around_the_place() -> None:
    text = "/a" + " " * 500 + "/b 999"
    with pytest.raises(PackRefused) as caught:
        parse_redirects("_redirects", text.encode())
    shown, caret = caught.value.message.split("\n")[1:]
    assert len(shown) < 120
    assert shown[caret.index("^") :] == "999"


@given(st.text(max_size=80))
def test_any_text_is_rules_or_one_clear_error(text: str) -> None:
    for parse in (parse_headers, parse_redirects):
        try:
            rules = parse("_file", text.encode("utf-8", "surrogatepass"))
        except PackRefused as error:
            assert error.code == "rules-syntax"  # noqa: PT017
        else:
            made = Rules()
            made.headers += [one for one in rules if isinstance(one, HeaderRule)]
            made.redirects += [one for one in rules if isinstance(one, RedirectRule)]
            judge_rules(encode_rules(made))


PATTERNS = [
    ("/", "", True),
    ("/", "a", False),
    ("/a/b", "a/b", True),
    ("/a/b", "a", False),
    ("/a", "a/b", False),
    ("/:y/:s", "2026/x", True),
    ("/:y", "", False),
    ("/*", "", True),
    ("/*", "a/b", True),
    ("/b/*", "b", True),
    ("/b/*", "bs/a", False),
    ("/b/*", "", False),
]


@pytest.mark.parametrize(("pattern", "path", "matches"), PATTERNS)
def test_patterns_match_as_the_engine_says(pattern: str, path: str, matches: bool) -> None:
    assert parse_pattern(pattern).matches(path) is matches


@pytest.mark.parametrize("text", ["a", "/a*", "/*/b", "/:/b"])
def test_patterns_that_the_engine_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="`"):
        parse_pattern(text)


BAD_DOCUMENTS = [
    (b"", "Expecting value"),
    (b'\xef\xbb\xbf{"v":1}', "BOM|Expecting"),
    (b"[]", "is no object"),
    (b"{}", "has no `v`"),
    (b'{"v":2}', "version 2"),
    (b'{"v":1.0}', "no number"),
    (b'{"v":true}', "no number"),
    (b'{"v":1,"v":1}', "twice"),
    (b'{"v":1,"more":1}', "`more` is not known"),
    (b'{"v":1,"headers":{}}', "no array"),
    (b'{"v":1,"headers":[{"path":"/*"}]}', "has no `set`"),
    (b'{"v":1,"headers":[{"path":"/*","set":[["X"]]}]}', "pairs"),
    (b'{"v":1,"headers":[{"path":"/*","set":[["X",1]]}]}', "no text"),
    (b'{"v":1,"headers":[{"path":"/*","set":[["Date","1"]]}]}', "set by the server itself"),
    (b'{"v":1,"headers":[{"path":"/*","set":[["X Y","1"]]}]}', "not a header name"),
    (b'{"v":1,"headers":[{"path":"/*","set":[["X","a\\r\\nb"]]}]}', "control byte"),
    (b'{"v":1,"headers":[{"path":"x","set":[]}]}', "does not start"),
    (b'{"v":1,"redirects":[{"from":"/a","to":"/b","status":418}]}', "418 is not supported"),
    (b'{"v":1,"redirects":[{"from":"/a","to":"/b"}]}', "has no `status`"),
    (b'{"v":1,"redirects":[{"from":"/a","to":"/b","status":301,"force":1}]}', "no boolean"),
    (b'{"v":1,"redirects":[{"from":"/a","to":"/\\u0000","status":301}]}', "control byte"),
    (b'{"v":1,"redirects":[{"from":"/*a","to":"/","status":301}]}', "stand alone"),
    (b'{"v":1,"immutable":["\\ud800"]}', "half of a character"),
    (b'{"v":1,"immutable":[NaN]}', "no JSON"),
    (
        b'{"v":1,"headers":[' + b'{"path":"/","set":[]},' * 10_000 + b'{"path":"/","set":[]}]}',
        "10000",
    ),
]


@pytest.mark.parametrize(("data", "what"), BAD_DOCUMENTS)
def test_documents_that_the_engine_refuses(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        judge_rules(data)


def test_the_same_rules_are_the_same_bytes() -> None:
    rules = Rules(
        [HeaderRule("/ü", (("X", "1"),))],
        [RedirectRule("/a", "/b", 301, True, (("q", ":q"),))],
        ["a.3f2a9c1b.js"],
    )
    assert (
        encode_rules(rules)
        == (
            '{"v":1,"headers":[{"path":"/ü","set":[["X","1"]]}],"redirects":[{"from":"/a","to":"/b",'
            '"status":301,"force":true,"query":[["q",":q"]]}],"immutable":["a.3f2a9c1b.js"]}\n'
        ).encode()
    )


def test_an_error_stops_the_packing(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"index.html": b"", "_redirects": b"/a /b 999\n"})
    with pytest.raises(PackRefused, match="_redirects:1:7"):
        pack_bytes(root)
