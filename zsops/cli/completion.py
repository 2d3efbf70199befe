"""Completion of names. Reads the file only: no network, and no word when the file is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from zsops.config.load import FILE_NAME, Project, load_project
from zsops.errors import ConfigError


def complete_env(context: typer.Context, incomplete: str) -> list[str]:
    """Environments that begin so."""
    project = _project(context)
    return _matching(project.environments, incomplete) if project else []


def complete_site(context: typer.Context, incomplete: str) -> list[str]:
    """Sites that begin so."""
    project = _project(context)
    return _matching(project.config.sites, incomplete) if project else []


def _project(context: typer.Context) -> Project | None:
    options = context.parent.params if context.parent else {}
    directory = Path(options.get("directory") or ".")
    try:
        return load_project(directory / (options.get("file") or FILE_NAME))
    except ConfigError:
        return None


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(each for each in names if each.startswith(incomplete))
