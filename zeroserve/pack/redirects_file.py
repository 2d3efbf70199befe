"""`_redirects`: a rule a line, in the form that Netlify made known. Pure.

```
# from        query    to             status, `!` wins over files
/news/:slug            /blog/:slug    302
/store        id=:id   /items/:id
/app/*                 /index.html    200
```
"""

import re
from urllib.parse import quote

from zeroserve.pack.pattern import parse_pattern
from zeroserve.pack.rules import REWRITES, STATUSES, RedirectRule
from zeroserve.pack.source_line import SourceLine, Word, source_lines
from zeroserve.pack.source_pattern import PLACEHOLDER_NAME, URL, compile_path

REDIRECTS_NAME = "_redirects"
STATUS_DEFAULT = 301
#: Known elsewhere; ignoring one would send visitors where they should not go.
CONDITIONS = frozenset({"cookie", "country", "language", "role", "signed"})
USED_NAME = re.compile(r"(?<=[/=]):([A-Za-z_][A-Za-z0-9_]*)")
AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
# What RFC 3986 lets stand in a URL; `%` because escapes are kept.
URL_CHARACTERS = "/:?#[]@!$&'()*+,;=%-._~"
STATUS_HINT = "the statuses are " + ", ".join(str(one) for one in STATUSES)


def parse_redirects(file: str, data: bytes) -> list[RedirectRule]:
    """The rules in their order. Raises `PackRefused` (`rules-syntax`) at the first fault."""
    return [_rule(line, words) for line in source_lines(file, data) if (words := line.words())]


def _rule(line: SourceLine, words: list[Word]) -> RedirectRule:
    path = compile_path(line, words[0])
    place = next((at for at, word in enumerate(words) if at and _is_target(word.text)), None)
    if place is None:
        end = words[-1].at + len(words[-1].text)
        raise line.refuse(end, "a target is missing", "a rule is `/from /to`, then a status")
    query = tuple(_parameter(line, word) for word in words[1:place])
    status, force, rest = _status(line, words[place + 1 :])
    for word in rest:
        _refuse_rest(line, word)
    names = {*parse_pattern(path).names, *(value[1:] for _, value in query if value[:1] == ":")}
    target = _target(line, words[place], status=status, names=names)
    rule = RedirectRule(path, target, status, force, query)
    _judge_loop(line, words[place], rule)
    return rule


def _is_target(text: str) -> bool:
    return text.startswith("/") or URL.match(text) is not None


def _parameter(line: SourceLine, word: Word) -> tuple[str, str]:
    name, equals, value = word.text.partition("=")
    if name.lower() in CONDITIONS and equals:
        raise line.refuse(word.at, f"`{name}` conditions are not supported")
    if not equals or not name:
        raise line.refuse(
            word.at, "expected a query parameter or the target", "as `id=:id`, or `/to`"
        )
    if value.startswith(":") and not PLACEHOLDER_NAME.fullmatch(value[1:]):
        raise line.refuse(
            word.at + len(name) + 1, "a placeholder's name has letters, digits and `_`"
        )
    return name, value


def _status(line: SourceLine, words: list[Word]) -> tuple[int, bool, list[Word]]:
    if not words or "=" in words[0].text:
        return STATUS_DEFAULT, False, words
    text = words[0].text.removesuffix("!")
    if not (text.isascii() and text.isdigit()):
        raise line.refuse(words[0].at, f"`{words[0].text}` is no status", STATUS_HINT)
    if text not in [str(one) for one in STATUSES]:
        raise line.refuse(words[0].at, f"status {text} is not supported", STATUS_HINT)
    return int(text), words[0].text.endswith("!"), words[1:]


def _refuse_rest(line: SourceLine, word: Word) -> None:
    name, equals, _ = word.text.partition("=")
    if equals and name.lower() in CONDITIONS:
        raise line.refuse(word.at, f"`{name}` conditions are not supported")
    raise line.refuse(
        word.at, "nothing may follow here", "query parameters stand before the target"
    )


def _target(line: SourceLine, word: Word, *, status: int, names: set[str]) -> str:
    text = word.text
    scheme = AUTHORITY.match(text)
    if URL.match(text) and (scheme is None or not scheme[1]):
        raise line.refuse(word.at, "a target begins with `/`, `http://` or `https://`")
    if text.startswith(("//", "/\\")):
        raise line.refuse(
            word.at, "`//` would name another host", "write the scheme too: `https://…`"
        )
    if "#" in text:
        raise line.refuse(word.at + text.index("#"), "a fragment in a target is not supported")
    if status in REWRITES:
        if scheme:
            raise line.refuse(
                word.at,
                f"status {status} serves a file of this site, it cannot fetch from another server",
                "use 301 or 302 to send the visitor there",
            )
        if "?" in text:
            raise line.refuse(word.at + text.index("?"), "a file has no query")
    for found in USED_NAME.finditer(text):
        if found[1] not in names:
            raise line.refuse(
                word.at + found.start(),
                f"nothing in the path or the query is called `:{found[1]}`",
                "`*` is called `:splat`",
            )
    if "*" in text:
        raise line.refuse(
            word.at + text.index("*"), "`*` means nothing in a target", "use `:splat`"
        )
    return text if status in REWRITES else quote(text, safe=URL_CHARACTERS)


def _judge_loop(line: SourceLine, word: Word, rule: RedirectRule) -> None:
    if rule.status in REWRITES or not rule.target.startswith("/"):
        return
    bare = word.text.partition("?")[0]
    same = bare.strip("/") == rule.path.replace("*", ":splat").strip("/")
    literal = not USED_NAME.search(bare)
    caught = rule.force and literal and parse_pattern(rule.path).matches(bare.strip("/"))
    if not rule.query and (same or caught):
        raise line.refuse(word.at, "this leads to itself, for ever")
