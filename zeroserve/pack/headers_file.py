"""`_headers`: paths, and below each the header lines of its answers, in the form that Netlify made
known. Pure.

```
# a comment
/assets/*
  Cache-Control: public, max-age=86400
```
"""

from zeroserve.pack.rules import CONTROL, RESERVED, TOKEN, HeaderRule
from zeroserve.pack.source_line import SourceLine, Word, source_lines
from zeroserve.pack.source_pattern import URL, compile_path

HEADERS_NAME = "_headers"
#: Refused here and not by the engine, which would send what is written.
MISPLACED = {
    "basic-auth": "passwords are not supported: the page would be public, and the password with it",
    "content-type": "the server sends one already, by the file's extension",
    "location": "a redirect is a rule of `_redirects`",
    "proxy-connection": "it belongs to the connection, which the server keeps",
}


def parse_headers(file: str, data: bytes) -> list[HeaderRule]:
    """The rules in their order. Raises `PackRefused` (`rules-syntax`) at the first fault."""
    rules: list[HeaderRule] = []
    opened: tuple[SourceLine, Word, str] | None = None
    fields: list[tuple[str, str]] = []
    for line in source_lines(file, data):
        text = line.text.strip(" \t")
        if not text or text.startswith("#"):
            continue
        word = Word(text, line.text.index(text))
        if text.startswith("/") or URL.match(text):
            rules += _close(opened, fields)
            opened, fields = (line, word, compile_path(line, _path(line, word))), []
        elif opened is None:
            raise line.refuse(
                word.at, "a header line before any path", "first the path, as `/*`, on its own line"
            )
        else:
            fields.append(_field(line, word))
    return rules + _close(opened, fields)


def _path(line: SourceLine, word: Word) -> Word:
    words = line.words()
    if len(words) > 1:
        raise line.refuse(
            words[1].at,
            "a path stands alone on its line",
            "header lines stand below it; a blank in a path is written `%20`",
        )
    return words[0]


def _close(
    opened: tuple[SourceLine, Word, str] | None, fields: list[tuple[str, str]]
) -> list[HeaderRule]:
    if opened is None:
        return []
    line, word, path = opened
    if not fields:
        raise line.refuse(
            word.at, "no header lines stand below this path", "each path has its own lines"
        )
    return [HeaderRule(path, tuple(fields))]


def _field(line: SourceLine, word: Word) -> tuple[str, str]:
    if word.text.startswith("!"):
        raise line.refuse(word.at, "taking a header back (`!`) is not supported")
    name, colon, value = word.text.partition(":")
    if not colon:
        raise line.refuse(word.at, "a header line is `Name: value`")
    if not TOKEN.fullmatch(name):
        wrong = next((at for at, each in enumerate(name) if not TOKEN.fullmatch(each)), 0)
        raise line.refuse(word.at + wrong, f"`{name}` is not a header name")
    reason = RESERVED.get(name.lower()) or MISPLACED.get(name.lower())
    if reason is not None:
        raise line.refuse(word.at, f"`{name}` cannot be set: {reason}")
    value = value.strip(" \t")
    if found := CONTROL.search(value.replace("\t", " ")):
        at = line.text.index(value, word.at) + found.start()
        raise line.refuse(at, "a control character in a value")
    if not value:
        raise line.refuse(word.at + len(name) + 1, f"`{name}` has no value")
    return name, value
