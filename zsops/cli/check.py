"""`zsops check`: is the file right, are its sources there, and (`--live`) are the hosts ready?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from zsops import live
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.config.document import read_document
from zsops.config.load import ConfigInvalid, Project
from zsops.config.problems import Problem
from zsops.errors import ExitCode, worst
from zsops.material.age_files import place_of, read
from zsops.material.errors import MaterialError
from zsops.report.quantities import size_text

_HEADER = ("HOST", "READY", "ANSWER", "CLOCK", "USER", "FREE", "SYSTEMD", "SOFTWARE", "KERNEL")


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
        code = worst(_code(each) for each in found)
        result["hosts"] = [_result(each) for each in found]
        said = columns(_HEADER, [_row(each) for each in found])
        for each in found:
            for problem in each.problems:
                invocation.say(f"{each.host}: {problem}")
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


def _code(each: live.LiveHost) -> ExitCode:
    if each.error is not None:
        return each.error.exit_code
    return ExitCode.DRIFT if each.problems else ExitCode.OK


def _row(each: live.LiveHost) -> tuple[str, ...]:
    facts = each.facts
    if facts is None:
        return (each.host, "no", *["-"] * (len(_HEADER) - 2))
    return (
        each.host,
        "no" if each.problems else "yes",
        f"{each.ms} ms",
        f"{each.skew_s:+.0f} s",
        facts.user,
        size_text(facts.free_bytes),
        "yes" if facts.systemd else "no",
        facts.software,
        facts.kernel,
    )


def _result(each: live.LiveHost) -> dict[str, Any]:
    return {
        "host": each.host,
        "problems": list(each.problems),
        "skew_s": each.skew_s,
        "ms": each.ms,
        "facts": asdict(each.facts) if each.facts else None,
    }
