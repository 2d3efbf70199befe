"""The commit a project is at, for the record of a release."""

from __future__ import annotations

from pathlib import Path

from zsops.process import run

_TIMEOUT_S = 5.0


def commit_of(directory: Path) -> str:
    """The commit `directory` is at, with `+` when the tree has changes; empty outside git."""
    try:
        head = run(["git", "rev-parse", "--short=12", "HEAD"], timeout_s=_TIMEOUT_S, cwd=directory)
        if head.code != 0:
            return ""
        changes = run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            timeout_s=_TIMEOUT_S,
            cwd=directory,
        )
    except (OSError, TimeoutError):
        return ""  # no git here; a release without a commit is still a release
    return head.output.strip() + ("+" if changes.output.strip() else "")
