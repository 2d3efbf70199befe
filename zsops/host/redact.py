"""What of answers, addresses and logs may be shown: evidence is pasted into tickets and chats.

The rule. Of *headers* only those are shown that say nothing about a visitor; of the others only
the name. Of a *URL* the names in its query are shown but no value, and neither user and password,
nor path parameters, nor the fragment. In *text* every URL is treated so, and what looks like a
token, or stands beside a telling name, is left out.

Pure. The text is whatever a server sent, so every pattern is bounded in what it looks at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

HIDDEN = "…"
#: Names of headers whose values are shown; `location` as the URL it is.
SHOWN_HEADERS = frozenset(
    {
        *("accept-ranges", "age", "allow", "alt-svc", "cache-control", "connection"),
        *("content-disposition", "content-encoding", "content-language", "content-length"),
        *("content-range", "content-type", "date", "etag", "expires", "keep-alive"),
        *("last-modified", "location", "referrer-policy", "retry-after", "server"),
        *("strict-transport-security", "transfer-encoding", "upgrade", "vary"),
        *("x-content-type-options", "x-frame-options", "x-robots-tag"),
    }
)
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,32}")
_USER = re.compile(r"//[^/@\s]*@(?:[^/@\s]*@)*")
_PATH_PARAMETERS = re.compile(r";[^/]+")
_OPENING, _CLOSING = "\"'`([{<", "\"'`)]}>,;:."
_TELLING = (
    "token|secret|passw(?:or)?d|passphrase|passcode|api[-_]?key|access[-_]?key|private[-_]?key"
    "|session(?:[-_]?id)?|sid|credentials?|csrf|xsrf|otp|signature|jwt|nonce"
)


def url(value: str) -> str:
    """A URL, or a path with its query, without what may be secret in it."""
    head, fragment, _ = value.partition("#")
    path, mark, query = head.partition("?")
    path = _PATH_PARAMETERS.sub(f";{HIDDEN}", _USER.sub(f"//{HIDDEN}@", path))
    return f"{path}{mark}{_query(query)}" + (f"#{HIDDEN}" if fragment else "")


def header(name: str, value: str, *, asked: bool = False) -> str:
    """A header's value, or that there is one.

    `asked`: a check of the project's names it, so it is no secret unless its name says so.
    """
    name = name.lower()
    if name not in SHOWN_HEADERS and not (asked and not _telling().search(name)):
        return HIDDEN
    return line(url(value) if name == "location" else value)


def line(value: str) -> str:
    """Text in which a blank ends a URL: a line of a log, an error."""
    return _clean(value, r"\S+", _word)


def body(value: str) -> str:
    """Text in which a URL stands in quotes or between tags: a page, JSON."""
    return _clean(value, r"[^\s\"'<>\\`]+", _quoted)


def _query(query: str) -> str:
    return "&".join(_parameter(each) for each in re.split("[&;]", query)) if query else ""


def _parameter(written: str) -> str:
    # `?c2VjcmV0=` is a token and no name: what has no value is shown as one.
    name, _, value = written.partition("=")
    return f"{name}={HIDDEN}" if value.strip("=") and _NAME.fullmatch(name) else HIDDEN


def _clean(value: str, word: str, shown: Callable[[str], str]) -> str:
    for pattern, by in _shapes():
        value = pattern.sub(by, value)
    return re.sub(word, lambda found: shown(found[0]), value)


def _quoted(word: str) -> str:
    # `a?b:c` of a script is no query.
    return _word(word) if "/" in word or "=" in word.partition("?")[2] else word


def _word(word: str) -> str:
    end = len(word) - min(2, len(word) - len(word.rstrip(_CLOSING)))
    inner, closing = word[:end], word[end:]
    if "//" in inner or inner.lstrip(_OPENING).startswith("/"):
        return url(inner) + closing
    before, mark, query = inner.partition("?")
    return f"{before}{mark}{_query(query)}{closing}"


def _dense(found: re.Match[str]) -> str:
    """Random bytes as text have capitals, small letters and digits; digests and names do not."""
    kinds = (str.isupper, str.islower, str.isdigit)
    return HIDDEN if all(any(map(kind, found[0])) for kind in kinds) else found[0]


@cache
def _telling() -> re.Pattern[str]:
    return re.compile(f"{_TELLING}|cookie|auth")


@cache
def _shapes() -> tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]:
    """(what is looked for, what stands there instead); made when they are first needed."""
    value = r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s,;&}\"'`<>]+"
    known = (
        r"eyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)*",  # JWT
        r"AGE-SECRET-KEY-1[0-9A-Z]+",
        r"(?:gh[pousr]|github_pat)_\w{16,}|glpat-[\w-]{16,}|npm_\w{30,}|pypi-[\w-]{16,}|hf_\w{20,}",
        r"xox[a-z]-[\w-]{10,}|(?:[spr]k|whsec)_(?:live_|test_)?\w{16,}|sk-[\w-]{20,}",
        r"(?:AKIA|ASIA)[0-9A-Z]{12,}|AIza[\w-]{30,}|ya29\.[\w-]+|SG\.[\w-]{16,}\.[\w-]+",
        r"dop_v1_[0-9a-f]{16,}",
    )
    return (
        (
            re.compile(
                r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
                r"(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
            ),
            HIDDEN,
        ),
        # `Cookie: a=b; c=d` and `Authorization: Basic …`: to the end of the line.
        (
            re.compile(
                r"(?i)((?:set-)?cookie2?|(?:proxy-|www-)?auth(?:orization|enticate))"
                r"(\"?\s{0,3}[:=]\s{0,3})[^\r\n]+"
            ),
            rf"\1\2{HIDDEN}",
        ),
        (
            re.compile(r"(?i)\b(bearer|basic|negotiate|digest)\s{1,3}[\w.~+/=-]{6,}"),
            rf"\1 {HIDDEN}",
        ),
        (
            re.compile(rf"(?i)((?:{_TELLING})[\"']?\s{{0,3}}[:=]\s{{0,3}})(?:{value})"),
            rf"\1{HIDDEN}",
        ),
        (
            re.compile(rf"(?i)<(?:input|meta)\b[^<>]{{0,400}}?(?:{_TELLING})[^<>]{{0,400}}>?"),
            f"<{HIDDEN}>",
        ),
        (re.compile("|".join(known)), HIDDEN),
        (re.compile(r"[\w-]{32,}", re.ASCII), _dense),
    )
