"""Hooks: the operator's own programs. Their outcome is a decision only where they are required."""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zsops.config.around import Hook
from zsops.config.duration import format_duration
from zsops.errors import ExitCode, ZsopsError
from zsops.process import run

_LINES_MAX = 10


class HookFailed(ZsopsError):
    """A required hook failed, took too long, or could not be started."""

    code = "hook-failed"
    exit_code = ExitCode.HOOK


def run_hook(name: str, hook: Hook | None, directory: Path, told: Mapping[str, str]) -> str | None:
    """Run it; a warning when it failed and was not required. Raises HookFailed.

    `told`: its environment, beside the operator's own; `ZSOPS_HOOK` is its name.
    """
    if hook is None:
        return None
    problem = _problem(hook, directory, {**told, "ZSOPS_HOOK": name})
    if problem is None:
        return None
    text = f"hook `{name}`: {problem}"
    if hook.required:
        raise HookFailed(text, hint=f"`hooks.{name}.required: false` makes it a warning")
    return text


def _problem(hook: Hook, directory: Path, told: Mapping[str, str]) -> str | None:
    program = hook.run[0]
    if "/" in program:
        # `./ci/gate.sh` is meant from the project, wherever zsops was called.
        program = str(directory / program)
    try:
        done = run((program, *hook.run[1:]), timeout_s=hook.timeout / 1000, cwd=directory, env=told)
    except TimeoutError:
        return f"`{hook.run[0]}` took longer than {format_duration(hook.timeout)}"
    except OSError as error:
        return f"`{hook.run[0]}` cannot be started: {error.strerror}"
    if done.code == 0:
        return None
    lines = [*done.output.splitlines(), *done.errors.splitlines()][-_LINES_MAX:]
    tail = "".join(f"\n  | {line}" for line in lines)
    how = f"was ended by signal {-done.code}" if done.code < 0 else f"exited with {done.code}"
    return f"`{hook.run[0]}` {how}{tail}"
