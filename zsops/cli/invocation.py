"""One invocation: global options, and the way answers go out. stdout is data, stderr is talk."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from zsops.config.load import FILE_NAME, Project, load_project
from zsops.config.models import Environment
from zsops.config.scope import machines_of
from zsops.errors import ExitCode, UsageError, ZsopsError
from zsops.fleet import CONCURRENCY, Fleet
from zsops.report.events import ErrorInfo, Event, SummaryEvent, event_line
from zsops.report.run_id import new_run_id, timestamp
from zsops.transport.limits import Limits

Form = Literal["text", "json", "jsonl"]


@dataclass
class Invocation:
    """What the global options said."""

    directory: Path = field(default_factory=Path)
    file: Path | None = None
    form: Form = "text"
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    timeout_s: float | None = None
    on: str | None = None
    site: str | None = None
    concurrency: int = CONCURRENCY
    limits: Limits = field(default_factory=Limits)

    @property
    def may_ask(self) -> bool:
        """Only a person at a terminal is asked."""
        return self.form == "text" and sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def config_file(self) -> Path:
        """The file to read: `-f` as it is given, else `zsops.yaml` in `-C`."""
        return self.directory / (self.file or FILE_NAME)

    def project(self) -> Project:
        """The project. Raises ConfigError."""
        return load_project(self.config_file)

    def fleet(self, env: str | None) -> Fleet:
        """The environment, narrowed by `--on` and `--site`. Raises ConfigError, UsageError."""
        return Fleet(
            self.project(),
            env,
            on=self.on,
            site=self.site,
            concurrency=self.concurrency,
            limits=self.limits,
        )

    def site_named(self, argument: str | None) -> str | None:
        """`build blog` is `build --site blog`; both, if they differ, is a mistake."""
        if argument and self.site and argument != self.site:
            raise UsageError(f"two sites are named: `{argument}` and `{self.site}`")
        return argument or self.site

    def fleet_at(self, word: str | None, option: str | None) -> Fleet:
        """The environment that `word` names, or the one host of it.

        Raises ConfigError, UsageError when it names neither, or a host of several environments.
        """
        project = self.project()
        if word is None or word in project.environments:
            return self.fleet(one_environment(word, option))
        among = [option] if option is not None else list(project.environments)
        found = [
            each
            for each in among
            if word in hosts_of_environment(project, project.environment(each)[1])
        ]
        if not found:
            raise UsageError(
                f"`{word}` is neither an environment nor a host",
                hint="`zsops hosts ls` lists the hosts of an environment",
            )
        if len(found) > 1:
            raise UsageError(
                f"`{word}` is a host of {' and '.join(f'`{each}`' for each in found)}",
                hint=f"say which: `--env {found[0]}`",
            )
        narrowed = word if self.on is None else f"({self.on}) & {word}"
        return replace(self, on=narrowed).fleet(found[0])

    def console(self, *, stderr: bool = True) -> Console:
        """A console for people."""
        return Console(
            stderr=stderr, no_color=not self.color, highlight=False, soft_wrap=True, emoji=False
        )

    def say(self, text: str) -> None:
        """Talk, unless `-q` or a program is reading."""
        if not self.quiet and self.form == "text":
            self.console().print(text, markup=False)

    def warn(self, text: str) -> None:
        """A warning on stderr, which even a program that reads stdout should not lose."""
        sys.stderr.write(f"warning: {text}\n")

    def detail(self, text: str) -> None:
        """Talk that only `-v` wants."""
        if self.verbose:
            self.say(text)

    def answer(
        self, command: str, result: dict[str, Any], text: str, exit_code: ExitCode = ExitCode.OK
    ) -> None:
        """The command's data: text for a person, one document for a program."""
        if self.form == "text":
            if text:
                sys.stdout.write(text.rstrip("\n") + "\n")
            return
        print_document(document(command, result, exit_code))

    def emit(self, event: Event) -> None:
        """An event as one line of `--jsonl`."""
        sys.stdout.write(event_line(event) + "\n")
        sys.stdout.flush()


def hosts_of_environment(project: Project, environment: Environment) -> frozenset[str]:
    """Names of its hosts."""
    return frozenset(each.name for each in machines_of(project.config, environment))


def document(
    command: str,
    result: dict[str, Any] | None,
    exit_code: ExitCode,
    error: ZsopsError | None = None,
) -> dict[str, Any]:
    """The one JSON document of a command. `error` null means that it did what was asked."""
    return {
        "v": 1,
        "command": command,
        "ok": exit_code in (ExitCode.OK, ExitCode.CHANGES),
        "exit": int(exit_code),
        "error": error_object(error),
        "result": result,
    }


def error_object(error: ZsopsError | None) -> dict[str, Any] | None:
    """An error in a JSON document. Problems of `zsops.yaml` come with their places."""
    if error is None:
        return None
    found: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    problems = getattr(error, "problems", None)
    if problems is not None:
        found["problems"] = [
            {
                "line": each.span.line,
                "column": each.span.column,
                "message": each.text,
                "hint": each.hint,
            }
            for each in problems
        ]
    return found


def print_summary(error: ZsopsError) -> None:
    """The last line of `--jsonl` for a run that could not even begin."""
    info = ErrorInfo(code=error.code, message=error.message, hint=error.hint)
    event = SummaryEvent(t=timestamp(), run=new_run_id(), exit=int(error.exit_code), error=info)
    sys.stdout.write(event_line(event) + "\n")
    sys.stdout.flush()


def print_document(found: dict[str, Any]) -> None:
    """On stdout, one line."""
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def one_environment(positional: str | None, option: str | None) -> str | None:
    """`deploy prod` is `deploy -e prod`; both, if they differ, is a mistake."""
    if positional and option and positional != option:
        raise UsageError(f"two environments are named: `{positional}` and `{option}`")
    return positional or option
