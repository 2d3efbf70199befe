"""The file becomes a `Project` here and nowhere else. Every problem is found in one go."""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from zsops.config.contradictions import contradictions
from zsops.config.document import Document, read_document
from zsops.config.models import Environment, FleetConfig, Instance, Listen, Site
from zsops.config.problems import Problem, Span, did_you_mean, draw
from zsops.config.values import LOCAL_HOST
from zsops.config.wording import problem_of
from zsops.errors import ConfigError

FILE_NAME = "zsops.yaml"
LOCAL = "local"
_FIRST_LOCAL_PORT = 8443


class ConfigInvalid(ConfigError):
    """`zsops.yaml` has problems; `problems` lists them all, `drawn` is the text for people."""

    def __init__(self, file: str, problems: list[Problem], lines: list[str]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda each: (each.span, each.text)))
        self.drawn = "\n".join(draw(each, file=file, lines=lines) for each in self.problems)
        count = len(self.problems)
        super().__init__(f"`{file}` has {count} problem{'s' if count != 1 else ''}")

    def render(self) -> str:
        """Every problem with its source line, then the count."""
        return f"{self.drawn}\n{super().render()}"


class UnknownName(ConfigError):
    """An environment or site that the file does not declare."""

    code = "unknown-name"


class ConfigMissing(ConfigError):
    """There is no file to read."""

    code = "config-missing"


@dataclass(frozen=True)
class Project:
    """A loaded file and where it lies. Paths of the file are relative to `directory`."""

    file: Path
    directory: Path
    config: FleetConfig

    @property
    def environments(self) -> Mapping[str, Environment]:
        """The declared environments, and `local`, which exists without being declared."""
        declared = self.config.environments
        if LOCAL in declared:
            return declared
        return {LOCAL: implied_local(self.config), **declared}

    def environment(self, name: str | None) -> tuple[str, Environment]:
        """The environment called `name`; without one, the only declared one, else `local`.

        Raises UnknownName, whose hint lists the known ones.
        """
        known = self.environments
        if name is None:
            declared = list(self.config.environments)
            name = declared[0] if len(declared) == 1 else LOCAL
        if name not in known:
            raise UnknownName(
                f"no environment `{name}` in `{self.file.name}`", hint=_known(name, known)
            )
        return name, known[name]

    def site(self, name: str) -> Site:
        """The site called `name`. Raises UnknownName, whose hint lists the known ones."""
        if name not in self.config.sites:
            raise UnknownName(
                f"no site `{name}` in `{self.file.name}`", hint=_known(name, self.config.sites)
            )
        return self.config.sites[name]


def load_project(file: Path) -> Project:
    """Read and check `file`. Raises ConfigMissing, or ConfigInvalid with every problem."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise ConfigMissing(f"there is no `{file}`", hint="run `zsops init` to write one") from None
    except OSError as error:
        raise ConfigMissing(f"cannot read `{file}`: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problem = Problem(Span(line, 1), "not UTF-8 text")
        raise ConfigInvalid(file.name, [problem], []) from None
    config = parse_config(text, file.name)
    return Project(file=file.absolute(), directory=file.absolute().parent, config=config)


def parse_config(text: str, file_name: str = FILE_NAME) -> FleetConfig:
    """The checked content of `text`. Raises ConfigInvalid with every problem found."""
    document = read_document(text)
    problems = list(document.problems)
    problems.extend(_unknown_sites(document))
    config = None
    if document.data is not None or not problems:
        try:
            # Through JSON, because strict mode then takes lists for tuples and nothing else.
            config = FleetConfig.model_validate_json(json.dumps(document.data))
        except ValidationError as error:
            problems.extend(problem_of(found, document) for found in error.errors())
    if config is not None:
        problems.extend(contradictions(config, document))
    if problems or config is None:
        raise ConfigInvalid(file_name, problems, document.lines)
    return config


def implied_local(config: FleetConfig) -> Environment:
    """`local` when the file does not declare it: each site on a port of its own from 8443 up."""
    taken = {
        name
        for each in config.environments.values()
        if LOCAL_HOST in each.hosts and each.hosts[LOCAL_HOST].addr is None
        for name in each.instances
    }
    instances = {}
    for offset, site in enumerate(config.sites):
        name = site if site not in taken else f"local-{site}"
        listen = Listen(https=f"127.0.0.1:{_FIRST_LOCAL_PORT + offset}")
        instances[name] = Instance(listen=listen, site=site)
    return Environment(instances=instances)


def _unknown_sites(document: Document) -> Iterator[Problem]:
    """References to sites that are not declared; read from the plain data, so that these are
    found even when something else in the file is wrong."""
    sites = _mapping(document.data, "sites")
    if not sites:
        return
    for env_name, environment in _mapping(document.data, "environments").items():
        for name, instance in _mapping(environment, "instances").items():
            at = ("environments", env_name, "instances", name)
            site = instance.get("site") if isinstance(instance, dict) else None
            if isinstance(site, str) and site not in sites:
                span = document.value((*at, "site"))
                yield Problem(span, f"no site `{site}`", did_you_mean(site, sites))
            for each in _mapping(instance, "sites"):
                if each not in sites:
                    span = document.key((*at, "sites", each))
                    yield Problem(span, f"no site `{each}`", did_you_mean(each, sites))


def _mapping(data: object, key: str) -> dict[str, object]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _known(name: str, known: Mapping[str, object]) -> str:
    listed = ", ".join(f"`{each}`" for each in sorted(known))
    guess = did_you_mean(name, known)
    return f"{guess} known: {listed}" if guess.startswith("did") else guess
