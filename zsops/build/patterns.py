"""`include` and `exclude` patterns: `*` and `?` within one name, `**` across directories."""

from __future__ import annotations

import re
from collections.abc import Iterable


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern over paths with `/`. `**/x` matches `x` at any depth, also at the top."""
    expression = ""
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            expression += "(?:.*/)?"
            at += 3
        elif pattern.startswith("**", at):
            expression += ".*"
            at += 2
        elif pattern[at] in "*?":
            expression += "[^/]*" if pattern[at] == "*" else "[^/]"
            at += 1
        else:
            expression += re.escape(pattern[at])
            at += 1
    return re.compile(expression, re.DOTALL)


def select(paths: Iterable[str], include: Iterable[str], exclude: Iterable[str]) -> list[str]:
    """The paths that some pattern of `include` and none of `exclude` matches, in their order."""
    wanted = [compile_pattern(each) for each in include]
    unwanted = [compile_pattern(each) for each in exclude]
    return [
        path
        for path in paths
        if any(each.fullmatch(path) for each in wanted)
        and not any(each.fullmatch(path) for each in unwanted)
    ]
