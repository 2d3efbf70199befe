"""The engine's table of connections: what a client may write, and what a server makes of it.

`zeroserve/engine/proto/tests/wire/cases.tsv` says in its head how it is to be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from support.trees import ROOT

TABLE = ROOT / "zeroserve" / "engine" / "proto" / "tests" / "wire" / "cases.tsv"
TOKEN = re.compile(
    r"\{(?P<text>[^}]*)\*(?P<times>\d+)\}"
    r"|\\x(?P<hex>[0-9a-fA-F]{2})|\\(?P<escape>[rnt0\\])|(?P<end>↵)|(?P<other>.)",
    re.DOTALL,
)
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


@dataclass(frozen=True)
class WireCase:
    """A row: its line in the table, the words of its verdict, and the bytes."""

    line: int
    verdict: tuple[str, ...]
    sent: bytes

    @property
    def refusal(self) -> int | None:
        """The status that ends the connection, if it ends so."""
        last = self.verdict[-1]
        return int(last) if last.isdecimal() else None

    @property
    def answered(self) -> int:
        """Requests that are answered as requests."""
        return sum(not each.isdecimal() and each not in ("...", "close") for each in self.verdict)


def unescape(cell: str) -> bytes:
    """The bytes that a cell stands for."""
    parts = []
    for found in TOKEN.finditer(cell):
        if found["times"]:
            parts.append(unescape(found["text"]) * int(found["times"]))
        elif found["hex"]:
            parts.append(bytes.fromhex(found["hex"]))
        elif found["escape"]:
            parts.append(ESCAPES[found["escape"]])
        else:
            parts.append(b"\r\n" if found["end"] else found["other"].encode())
    return b"".join(parts)


def wire_cases() -> list[WireCase]:
    """Every row of the table."""
    cases = []
    for number, row in enumerate(TABLE.read_text().splitlines(), 1):
        if row and not row.startswith("#"):
            verdict, sent = row.split("\t")
            cases.append(WireCase(number, tuple(verdict.split(" ")), unescape(sent)))
    return cases
