"""YAML text in, plain data and the position of every key and value out.

YAML 1.2 by ruamel.yaml: `no`, `on` and `22:22` stay text. The node graph of its round-trip
loader is walked here rather than constructed, because that is where the marks are, and because
duplicate keys, tags, anchors and aliases can then all be reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tokens import AliasToken, AnchorToken, DirectiveToken, TagToken

from zsops.config.problems import Problem, Span

#: Where a value sits: keys and list positions from the top.
Location = tuple[str | int, ...]

#: Far above any real fleet; keeps a runaway file from eating the machine.
TEXT_BYTES_MAX = 1 << 20
_DEPTH_MAX = 32
_TOP = Span(1, 1)


@dataclass
class Document:
    """`data` is None when the text could not be read; `problems` then says why."""

    lines: list[str]
    data: object = None
    keys: dict[Location, Span] = field(default_factory=dict)
    values: dict[Location, Span] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def key(self, location: Location) -> Span:
        """Where the key of `location` is written; of its nearest written parent if it is not."""
        return self._nearest(self.keys, location)

    def value(self, location: Location) -> Span:
        """Where the value of `location` is written; of its nearest written parent if it is not."""
        return self._nearest(self.values, location)

    def _nearest(self, spans: dict[Location, Span], location: Location) -> Span:
        for length in range(len(location), 0, -1):
            found = spans.get(location[:length]) or self.keys.get(location[:length])
            if found:
                return found
        return _TOP


def read_document(text: str) -> Document:
    """Read one YAML document. Never raises for bad input: see `Document.problems`."""
    document = Document(lines=text.splitlines())
    if len(text.encode()) > TEXT_BYTES_MAX:
        document.problems.append(Problem(_TOP, "the file is larger than 1 MiB"))
        return document
    try:
        document.problems.extend(_refused_tokens(text))
        if document.problems:
            return document
        root = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error))
        return document
    except (YAMLError, ValueError) as error:
        # Characters YAML forbids come without a mark (ReaderError, or chr() out of range).
        said = str(error).splitlines()[0]
        document.problems.append(Problem(_forbidden(text), f"not YAML: {said}"))
        return document
    if root is None:
        document.problems.append(
            Problem(_TOP, "the file is empty", "remove it and run `zsops init`")
        )
        return document
    document.data = _plain(document, root, (), 0)
    return document


def _refused_tokens(text: str) -> Iterator[Problem]:
    """Tags, anchors and aliases. They make a file mean something other than it shows."""
    for token in YAML(typ="rt", pure=True).scan(text):
        span = Span(token.start_mark.line + 1, token.start_mark.column + 1)
        if isinstance(token, TagToken):
            yield Problem(span, "YAML tags (`!…`) are refused", "write the plain value")
        elif isinstance(token, AnchorToken | AliasToken):
            yield Problem(span, "YAML anchors and aliases are refused", "write the value out")
        elif isinstance(token, DirectiveToken):
            yield Problem(span, "YAML directives (`%…`) are refused", "the file is YAML 1.2")


def _forbidden(text: str) -> Span:
    """Where the first character stands that YAML does not allow."""
    for number, line in enumerate(text.splitlines(), start=1):
        for column, each in enumerate(line, start=1):
            if not each.isprintable() and each != "\t":
                return Span(number, column)
    return _TOP


def _syntax_problem(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    span = Span(mark.line + 1, mark.column + 1) if mark else _TOP
    said = (error.problem or error.context or "unreadable").strip().removeprefix("but ")
    hint = None
    if "\\t" in said or "tab" in said.lower():
        hint = "indent with spaces"
    return Problem(span, f"not YAML: {said}", hint)


def _plain(document: Document, node: Node, at: Location, depth: int) -> object:
    document.values[at] = _span(node)
    if depth > _DEPTH_MAX:
        document.problems.append(Problem(_span(node), f"nested deeper than {_DEPTH_MAX} levels"))
        return None
    if isinstance(node, MappingNode):
        return _mapping(document, node, at, depth)
    if isinstance(node, SequenceNode):
        return [_plain(document, each, (*at, i), depth + 1) for i, each in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


def _mapping(document: Document, node: MappingNode, at: Location, depth: int) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            document.problems.append(Problem(_span(key), "a key must be plain text"))
            continue
        name: str = key.value
        here = (*at, name)
        if name in plain:
            first = document.keys[here].line
            document.problems.append(
                Problem(_span(key), f"key `{name}` is given twice (first on line {first})")
            )
            continue
        document.keys[here] = _span(key)
        plain[name] = _plain(document, value, here, depth + 1)
    return plain


def _scalar(node: ScalarNode) -> str | int | bool | float | None:
    """A scalar by YAML 1.2's core schema; a number out of its grammar stays text."""
    text: str = node.value
    kind = str(node.tag).rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    try:
        if kind == "int":
            digits = text.replace("_", "")
            return int(digits, 0 if digits.lstrip("+-")[:2] in {"0x", "0o"} else 10)
        if kind == "float":
            return float(text.replace("_", ""))
    except ValueError:
        return text
    return text


def _span(node: Node) -> Span:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Span(start.line + 1, start.column + 1, max(1, length))
