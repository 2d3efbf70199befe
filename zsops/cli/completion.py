"""Completion of names. Reads the file only: no network, and no word when the file is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from zsops.cli.release_names import recall
from zsops.config.explain import meanings
from zsops.config.load import FILE_NAME, Project, load_project
from zsops.config.scope import machines_of
from zsops.config.strategy import BUILT_IN
from zsops.errors import ConfigError


def complete_env(context: typer.Context, incomplete: str) -> list[str]:
    """Environments that begin so."""
    project = _project(context)
    return _matching(project.environments, incomplete) if project else []


def complete_env_or_host(context: typer.Context, incomplete: str) -> list[str]:
    """Environments and hosts that begin so."""
    return [*complete_env(context, incomplete), *complete_host(context, incomplete)]


def complete_site(context: typer.Context, incomplete: str) -> list[str]:
    """Sites that begin so."""
    project = _project(context)
    return _matching(project.config.sites, incomplete) if project else []


def complete_host(context: typer.Context, incomplete: str) -> list[str]:
    """Hosts that begin so, of any environment."""
    return _matching(_names(context, hosts_only=True), incomplete)


def complete_selector(context: typer.Context, incomplete: str) -> list[str]:
    """Hosts, groups and labels, after whatever of a selector is there already."""
    start = max(incomplete.rfind(each) for each in "&|!( ") + 1
    before, word = incomplete[:start], incomplete[start:]
    return [before + each for each in _matching(_names(context), word)]


def complete_release(context: typer.Context, incomplete: str) -> list[str]:
    """Releases that the last looks and deployments saw, newest first."""
    project = _project(context)
    if project is None:
        return []
    wanted = context.params.get("env") or context.params.get("env_option")
    known = [wanted] if wanted else list(project.environments)
    names = dict.fromkeys(name for env in known for name in recall(project.directory, env))
    taken = context.params.get("old")  # `diff A B`: nothing differs from itself
    return [each for each in names if each.startswith(incomplete) and each != taken]


def complete_strategy(context: typer.Context, incomplete: str) -> list[str]:
    """Strategies of the file and those there always are."""
    project = _project(context)
    return _matching({**BUILT_IN, **(project.config.strategies if project else {})}, incomplete)


def complete_key(context: typer.Context, incomplete: str) -> list[str]:
    """Keys of the file's schema."""
    del context
    return _matching((each.key for each in meanings()), incomplete)


def _names(context: typer.Context, *, hosts_only: bool = False) -> set[str]:
    project = _project(context)
    found: set[str] = set()
    for environment in project.environments.values() if project else ():
        for machine in machines_of(project.config, environment) if project else ():
            found.add(machine.name)
            if not hosts_only:
                found.update(machine.groups)
                found.update(f"{name}={value}" for name, value in machine.labels.items())
    return found


def _project(context: typer.Context) -> Project | None:
    options = (context.parent or context).params
    directory = Path(options.get("directory") or ".")
    try:
        return load_project(directory / (options.get("file") or FILE_NAME))
    except ConfigError:
        return None


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(each for each in names if each.startswith(incomplete))
