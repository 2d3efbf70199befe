"""`zsops check`: is the file right, and are its sources there?"""

from __future__ import annotations

import typer

from zsops.cli.invocation import Invocation
from zsops.config.document import read_document
from zsops.config.load import ConfigInvalid
from zsops.config.problems import Problem


def check(context: typer.Context) -> None:
    """Check zsops.yaml: every problem with file, line and column."""
    invocation: Invocation = context.obj
    project = invocation.project()
    document = read_document(project.file.read_text(encoding="utf-8-sig"))
    problems = [
        Problem(
            document.value(("sites", name, "src")),
            f"there is no directory `{site.src}`",
            "`src` is relative to the directory of `zsops.yaml`",
        )
        for name, site in project.config.sites.items()
        if not (project.directory / site.src).is_dir()
    ]
    if problems:
        raise ConfigInvalid(project.file.name, problems, document.lines)
    sites, environments = list(project.config.sites), list(project.environments)
    invocation.answer(
        "check",
        {"file": str(project.file), "sites": sites, "environments": environments},
        f"{project.file.name}: good; sites {', '.join(sites)};"
        f" environments {', '.join(environments)}",
    )
