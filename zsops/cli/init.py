"""`zsops init`: a first `zsops.yaml` for the sites that are here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from zsops.cli.invocation import Invocation
from zsops.config.load import parse_config
from zsops.errors import UsageError

#: Folders that hold a finished site by the habit of many generators.
_USUAL = ("public", "dist", "_site", "site", "www", "html", "build")
_FIRST_PORT = 8443

_HEAD = """\
# What is deployed where. `zsops explain` tells what every key means.
version: 1
project: {project}

defaults:
  keep: 5                                   # releases kept on a host besides those in use
  health: {{interval: 500ms, timeout: 10s, successes: 2}}
  confirm: {{window: 60s}}                    # a host goes back by itself unless confirmed in time

sites:
"""
_SITE = """\
  {name}:
    src: {src}
    # build: {{run: npm run build, out: dist, timeout: 10m}}   # when src is not yet the site
{exclude}    checks:
      - {{path: /, status: 200}}
"""
_ENVIRONMENTS = """
environments:
  local:                                    # this machine, without root
    instances:
"""
_INSTANCE = """\
      {name}: {{listen: {{https: "127.0.0.1:{port}"}}, site: {name}}}
"""


def init(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER", help="Site folders; looked for when left out."),
    ] = None,
) -> None:
    """Write a commented zsops.yaml for the sites found here. Never overwrites one."""
    invocation: Invocation = context.obj
    file = invocation.config_file
    directory = file.parent
    sites = _named(directory, folders) if folders else _found(directory)
    if not sites:
        raise UsageError(
            f"no site in `{directory.absolute()}`: no folder with an `index.html`",
            hint="make `sites/NAME/index.html`, or name a folder: `zsops init FOLDER`",
        )
    text = file_text(_name_of(directory.absolute().name), sites)
    parse_config(text, file.name)
    try:
        with file.open("x", encoding="utf-8") as output:
            output.write(text)
    except FileExistsError:
        raise UsageError(f"`{file}` exists already", hint="`zsops check` looks at it") from None
    except OSError as error:
        raise UsageError(f"`{file}` cannot be written: {error.strerror}") from error
    invocation.say(f"wrote `{file}` with {', '.join(sites)}; next: `zsops deploy local`")
    invocation.answer("init", {"file": str(file), "sites": sites}, str(file))


def file_text(project: str, sites: dict[str, str]) -> str:
    """The file for `sites`: name to folder."""
    parts = [_HEAD.format(project=project)]
    for name, src in sites.items():
        exclude = "    exclude: [zsops.yaml]\n" if src == "." else ""
        parts.append(_SITE.format(name=name, src=src, exclude=exclude))
    parts.append(_ENVIRONMENTS)
    for offset, name in enumerate(sites):
        parts.append(_INSTANCE.format(name=name, port=_FIRST_PORT + offset))
    return "".join(parts)


def _named(directory: Path, folders: list[Path]) -> dict[str, str]:
    sites = {}
    for folder in folders:
        if not (directory / folder).is_dir():
            raise UsageError(f"there is no folder `{folder}`")
        sites[_name_of((directory / folder).resolve().name)] = folder.as_posix()
    return sites


def _found(directory: Path) -> dict[str, str]:
    below = directory / "sites"
    if below.is_dir():
        folders = sorted(each for each in below.iterdir() if (each / "index.html").is_file())
        if folders:
            return {_name_of(each.name): f"sites/{each.name}" for each in folders}
    for usual in _USUAL:
        if (directory / usual / "index.html").is_file():
            return {_name_of(directory.absolute().name): usual}
    if (directory / "index.html").is_file():
        return {_name_of(directory.absolute().name): "."}
    return {}


def _name_of(text: str) -> str:
    """A name the file accepts, from whatever a folder is called."""
    name = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63]
    return name or "site"
