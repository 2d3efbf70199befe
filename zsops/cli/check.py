"""`zsops check`: is the file right, are its sources there, and (`--live`) are the hosts ready?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zsops import live
from zsops.cli import live_hosts
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.config.document import read_document
from zsops.config.load import ConfigInvalid, Project
from zsops.config.problems import Problem
from zsops.errors import ExitCode
from zsops.material.age_files import place_of, read
from zsops.material.errors import MaterialError


def check(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    ask: Annotated[
        bool,
        typer.Option("--live", help="Ask the hosts, too: reach, rights, clock, disk, versions."),
    ] = False,
) -> None:
    """Check zsops.yaml: every problem with file, line and column."""
    invocation: Invocation = context.obj
    project = invocation.project()
    _check_sources(project)
    sites, environments = list(project.config.sites), list(project.environments)
    said = f"{project.file.name}: good; sites {', '.join(sites)};"
    said += f" environments {', '.join(environments)}"
    result: dict[str, Any] = {
        "file": str(project.file),
        "sites": sites,
        "environments": environments,
    }
    code = ExitCode.OK
    if ask:
        found = live.look(invocation.fleet(one_environment(env, env_option)))
        code = live_hosts.code_of(found)
        result["hosts"] = live_hosts.results(found)
        said = live_hosts.table(found)
        for line in live_hosts.problems(found):
            invocation.say(line)
    invocation.answer("check", result, said, code)
    raise typer.Exit(code)


def _check_sources(project: Project) -> None:
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
    for name, tls in project.config.tls.items():
        for key, written in (("cert", tls.cert), ("key", tls.key)):
            place, sealed = place_of(project.directory, written)
            try:
                read(place, sealed=sealed, secret=key == "key")
            except MaterialError as error:
                span = document.value(("tls", name, key))
                problems.append(Problem(span, error.message, error.hint))
    if problems:
        raise ConfigInvalid(project.file.name, problems, document.lines)
