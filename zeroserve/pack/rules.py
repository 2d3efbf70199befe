"""Rules: `.zeroserve/rules.json`, the headers and redirects that the engine follows for a site.

`encode_rules` writes what `_headers` and `_redirects` say; `judge_rules` refuses what the engine
would refuse at load. Pure.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from zeroserve.pack.json_document import parse_json
from zeroserve.pack.pattern import parse_pattern

RULES_PATH = ".zeroserve/rules.json"
RULES_MAX = 10_000  # the engine's limit: beyond it a script is the better tool
RULES_BYTES_MAX = 16 << 20  # the engine's limit for a document
STATUSES = (200, 301, 302, 303, 307, 308, 404)
REWRITES = (200, 404)
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: Headers that the engine writes itself on every answer, and why.
RESERVED = {
    "accept-ranges": "the server says itself which ranges it sends",
    "connection": "it belongs to the connection, which the server keeps",
    "content-encoding": "the server chooses the coding for each request",
    "content-length": "the server knows the length of what it sends",
    "content-range": "the server says itself which range it sends",
    "date": "it is the time of the answer",
    "etag": "it is made from the content, so that it never lies",
    "keep-alive": "it belongs to the connection, which the server keeps",
    "last-modified": "it is the time of the member in the tarball",
    "server": "the server names itself",
    "te": "it belongs to the connection, which the server keeps",
    "trailer": "it belongs to the framing, which the server does",
    "transfer-encoding": "it belongs to the framing, which the server does",
    "upgrade": "it belongs to the connection, which the server keeps",
}


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Header lines for every answer to a path that the pattern `path` matches."""

    path: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RedirectRule:
    """Where a path leads. `query` are parameters that must be there; `:name` captures a value.

    Status 200 and 404 are rewrites: the file `target` is sent under the path that was asked for.
    """

    path: str
    target: str
    status: int
    force: bool
    query: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Rules:
    """All rules of one root. `immutable` are members that may be kept for ever."""

    headers: list[HeaderRule] = field(default_factory=list)
    redirects: list[RedirectRule] = field(default_factory=list)
    immutable: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.headers or self.redirects or self.immutable)


def encode_rules(rules: Rules) -> bytes:
    """The JSON text. The same rules give the same bytes."""
    document: dict[str, object] = {"v": 1}
    if rules.headers:
        document["headers"] = [{"path": one.path, "set": one.fields} for one in rules.headers]
    if rules.redirects:
        document["redirects"] = [_redirect(one) for one in rules.redirects]
    if rules.immutable:
        document["immutable"] = rules.immutable
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _redirect(rule: RedirectRule) -> dict[str, object]:
    value: dict[str, object] = {"from": rule.path, "to": rule.target, "status": rule.status}
    if rule.force:
        value["force"] = True
    if rule.query:
        value["query"] = rule.query
    return value


def judge_rules(data: bytes) -> None:
    """Refuse what the engine refuses. Raises `ValueError` that says what is wrong."""
    if len(data) > RULES_BYTES_MAX:
        raise ValueError("it is larger than 16 MiB")
    document = _object(
        parse_json(data), "the document", {"v"}, {"headers", "redirects", "immutable"}
    )
    if _integer(document["v"], "`v`", 32) != 1:
        raise ValueError(f"version {document['v']} is not known")
    headers, redirects = _array(document, "headers"), _array(document, "redirects")
    if len(headers) + len(redirects) > RULES_MAX:
        raise ValueError(f"more than {RULES_MAX} rules")
    for name in _array(document, "immutable"):
        _text(name, "a name in `immutable`")
    for entry in headers:
        rule = _object(entry, "a header rule", {"path", "set"}, set())
        for name, value in _pairs(rule["set"], "`set`"):
            judge_field(name, value)
        parse_pattern(_text(rule["path"], "`path`"))
    for entry in redirects:
        _judge_redirect(entry)


def judge_field(name: str, value: str) -> None:
    """Refuse a header line that the engine cannot or must not send. Raises `ValueError`."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"`{name}` is not a header name")
    if CONTROL.search(value.replace("\t", " ")):
        raise ValueError(f"`{name}`: a control byte in its value")
    if name.lower() in RESERVED:
        raise ValueError(f"`{name}` is set by the server itself: {RESERVED[name.lower()]}")


def _judge_redirect(entry: object) -> None:
    rule = _object(entry, "a redirect", {"from", "to", "status"}, {"force", "query"})
    path, target = _text(rule["from"], "`from`"), _text(rule["to"], "`to`")
    status = _integer(rule["status"], "`status`", 16)
    if not isinstance(rule.get("force", False), bool):
        raise ValueError("`force` is no boolean")  # noqa: TRY004
    _pairs(rule.get("query", []), "`query`")
    if status not in STATUSES:
        raise ValueError(f"`{path}`: status {status} is not supported")
    if CONTROL.search(target):
        raise ValueError(f"`{path}`: a control byte in its target")
    parse_pattern(path)


def _object(
    value: object, what: str, wanted: Iterable[str], allowed: Iterable[str]
) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")  # noqa: TRY004  # bad input, not a bug of ours
    for name in wanted:
        if name not in value:
            raise ValueError(f"{what} has no `{name}`")
    for name in value:
        if name not in {*wanted, *allowed}:
            raise ValueError(f"{what}: `{name}` is not known")
    return value


def _array(document: dict[str, object], name: str) -> list[object]:
    value = document.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is no array")  # noqa: TRY004
    return value


def _pairs(value: object, what: str) -> list[tuple[str, str]]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is no array")  # noqa: TRY004
    pairs = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"{what} holds something else than pairs")
        pairs.append((_text(pair[0], what), _text(pair[1], what)))
    return pairs


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} is no text")  # noqa: TRY004
    return value


def _integer(value: object, what: str, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise ValueError(f"{what} is no number of {bits} bits")
    return value
