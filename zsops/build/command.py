"""Runs a site's build program: a list of arguments, in the project's directory, within its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from zsops.config.duration import format_duration
from zsops.config.models import Build
from zsops.errors import BuildError
from zsops.process import run

_TAIL_LINES = 15


def run_build(
    build: Build,
    *,
    site: str,
    cwd: Path,
    on_line: Callable[[str], None] | None,
    extra: Mapping[str, str],
) -> None:
    """Run `build.run`. `on_line` gets what it printed. `extra` is added to its environment.

    Raises BuildError with the last lines when it cannot be started, fails or takes too long.
    """
    shown = " ".join(build.run)
    try:
        done = run(
            build.run, timeout_s=build.timeout / 1000, cwd=cwd, env=extra, with_children=True
        )
    except TimeoutError:
        raise BuildError(
            f"site `{site}`: `{shown}` took longer than {format_duration(build.timeout)}",
            hint=f"raise `sites.{site}.build.timeout`",
        ) from None
    except OSError as error:
        raise BuildError(
            f"site `{site}`: `{build.run[0]}` cannot be started: {error.strerror}",
            hint="`run` is no shell line: it names a program and its arguments",
        ) from error
    lines = [*done.output.splitlines(), *done.errors.splitlines()]
    if on_line is not None:
        for line in lines:
            on_line(line)
    if done.code != 0:
        tail = "\n".join(f"  | {line}" for line in lines[-_TAIL_LINES:])
        how = f"was ended by signal {-done.code}" if done.code < 0 else f"exited with {done.code}"
        raise BuildError(f"site `{site}`: `{shown}` {how}" + (f"\n{tail}" if tail else ""))
