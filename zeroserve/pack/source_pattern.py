"""Source pattern: a path of `_headers` or `_redirects`, in the spelling of the engine. Pure."""

import re
from urllib.parse import unquote_to_bytes

from zeroserve.pack.source_line import SourceLine, Word

PLACEHOLDER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def compile_path(line: SourceLine, word: Word) -> str:
    """The pattern in the engine's spelling: percent-decoded, without empty segments.

    Raises `PackRefused` (`rules-syntax`) at the character that is wrong.
    """
    text = word.text
    if URL.match(text):
        raise line.refuse(
            word.at,
            "rules for a whole host are not supported",
            "several hosts in one tarball have a root each: `.zeroserve/hosts.json`",
        )
    if not text.startswith("/"):
        raise line.refuse(word.at, "a path begins with `/`")
    for mark, why in (("?", "a query stands behind the path, as `name=value`"), ("#", None)):
        if mark in text:
            raise line.refuse(word.at + text.index(mark), f"`{mark}` cannot be part of a path", why)
    segments: list[str] = []
    names: set[str] = set()
    at = word.at + 1
    parts = text[1:].split("/")
    for number, part in enumerate(parts):
        last = not any(parts[number + 1 :])
        segments.append(_segment(line, Word(part, at), last=last, names=names))
        at += len(part) + 1
    return "/" + "/".join(segment for segment in segments if segment)


def _segment(line: SourceLine, word: Word, *, last: bool, names: set[str]) -> str:
    part = word.text
    if part == "*" and last:
        return part
    if "*" in part:
        raise line.refuse(
            word.at + part.index("*"),
            "`*` may only stand alone at the end of a path",
            "write a rule for the folder (`/folder/*`), or use a `:placeholder` for one segment",
        )
    if part.startswith(":"):
        _judge_placeholder(line, word, names)
        return part
    if part in (".", ".."):
        raise line.refuse(word.at, f"`{part}` never matches: paths are cleaned before")
    if found := ESCAPE.search(part):
        raise line.refuse(word.at + found.start(), "`%` begins an escape, with two hex digits")
    try:
        decoded = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise line.refuse(word.at, "its escapes are not UTF-8") from None
    if "%" in part and ({"/", "*", "\0"} & set(decoded) or decoded.startswith(":")):
        raise line.refuse(word.at, "an escape may not stand for `/`, `*`, `:` or a zero byte")
    return decoded


def _judge_placeholder(line: SourceLine, word: Word, names: set[str]) -> None:
    name = word.text[1:]
    if not PLACEHOLDER_NAME.fullmatch(name):
        raise line.refuse(
            word.at, "a placeholder's name has letters, digits and `_`", "for example `:slug`"
        )
    if name in names or name == "splat":
        why = "is what `*` captures" if name == "splat" else "is there twice"
        raise line.refuse(word.at, f"`:{name}` {why}", "choose another name")
    names.add(name)
