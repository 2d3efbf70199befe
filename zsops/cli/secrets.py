"""`zsops secrets`: writing the project's encrypted files, and who can read them."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from zsops import process
from zsops.cli.invocation import Invocation
from zsops.config.secrets import AGE
from zsops.errors import UsageError
from zsops.material import keeping
from zsops.material.identities import Identities

app = typer.Typer(help="Edit the encrypted files; encrypt them anew.", no_args_is_help=True)
#: Directories whose files are in memory only.
_MEMORY = ("/dev/shm",)  # noqa: S108 - a private directory is made in it


@app.command()
def edit(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="As the file says: `age:…` or not.")],
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Take the new content from standard input.")
    ] = False,
) -> None:
    """Edit one file in $EDITOR, or write it from standard input, and encrypt it."""
    invocation: Invocation = context.obj
    project = invocation.project()
    place = project.directory / Path(file.removeprefix(AGE))
    to = keeping.recipients(project)
    if stdin:
        fresh = sys.stdin.buffer.read()
    else:
        identities = Identities(project.directory, project.config.secrets.identity)
        before = keeping.opened(place, identities)
        fresh = _edited(before, place.name)
        if fresh == before:
            invocation.say(f"`{file}` is unchanged")
            return
    keeping.write(place, fresh, to)
    invocation.say(f"wrote `{file}` for {len(to)} keys")
    invocation.answer("secrets", {"file": str(place), "recipients": list(to)}, "")


@app.command()
def rekey(context: typer.Context) -> None:
    """Encrypt every file anew to `secrets.recipients`. The next deployment sends them again."""
    invocation: Invocation = context.obj
    project = invocation.project()
    identities = Identities(project.directory, project.config.secrets.identity)
    done = [
        str(place.relative_to(project.directory)) for place in keeping.rekey(project, identities)
    ]
    invocation.answer("secrets", {"files": done}, "\n".join(done))


def _edited(before: bytes, name: str) -> bytes:
    """What a person makes of it. The plain text is in memory and in a private directory of it."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), *_MEMORY]
    memory = next((each for each in places if each and os.access(each, os.W_OK)), None)
    if memory is None:
        raise UsageError("there is no place in memory to edit in", hint="use `--stdin`")
    with tempfile.TemporaryDirectory(prefix="zsops-", dir=memory) as folder:
        place = Path(folder, name.removesuffix(".age"))
        place.touch(0o600)
        place.write_bytes(before)
        try:
            code = process.run_here([*editor, str(place)])
        except OSError as error:
            raise UsageError(f"`{editor[0]}` cannot be started: {error.strerror}") from error
        if code != 0:
            raise UsageError(f"`{editor[0]}` ended with {code}; nothing was written")
        return place.read_bytes()
