"""Problems of a configuration file: where, what, and what to write instead; drawn with a caret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of one line. `line` and `column` count from 1, `length` in characters."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend. `text` says what is wrong, `hint` what to write instead."""

    span: Span
    text: str
    hint: str | None = None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the closest known one, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if not names:
        return "there are none to choose from"
    return "known: " + ", ".join(f"`{each}`" for each in names)


def draw(problem: Problem, *, file: str, lines: Sequence[str]) -> str:
    """The problem as text: position and message, the source line, a caret under it, the hint."""
    span = problem.span
    drawn = [f"{file}:{span.line}:{span.column}: {problem.text}"]
    if 0 < span.line <= len(lines):
        # What is not printable is shown as `?`, so that columns stay true and terminals calm.
        shown = lines[span.line - 1].replace("\t", " ")
        source = "".join(each if each.isprintable() else "?" for each in shown)
        number = str(span.line)
        length = max(1, min(span.length, len(source) - span.column + 1))
        drawn.append(f"  {number} | {source}")
        drawn.append(f"  {' ' * len(number)} | {' ' * (span.column - 1)}{'^' * length}")
    if problem.hint:
        drawn.append(f"  hint: {problem.hint}")
    return "\n".join(drawn)
