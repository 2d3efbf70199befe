"""The program `zsops`: global options, the commands, and one door for every error and exit code."""

# ruff: noqa: N818 - an error is named for what happened, as in `zsops.errors`.

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zeroserve import __version__
from zeroserve.errors import ZeroserveError
from zsops.cli import exit_codes
from zsops.cli.completion import complete_selector, complete_site
from zsops.cli.global_options import OF_ONE_SITE, hoist
from zsops.cli.invocation import Form, Invocation, document, print_document, print_summary
from zsops.config.duration import FORM_HINT, parse_duration
from zsops.errors import BuildError, ExitCode, UsageError, ZsopsError
from zsops.fleet import CONCURRENCY
from zsops.transport.limits import PER_JUMP_MAX, Limits

_EPILOG = exit_codes.table()


class _Group(TyperGroup):
    """Takes global options on either side of the command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own type
        own = {
            option
            for command in self.commands.values()
            for parameter in command.params
            if not getattr(parameter, "is_flag", False)
            for option in parameter.opts
            if option.startswith("-")
        }
        return super().parse_args(ctx, hoist(args, own))


class TimeUp(KeyboardInterrupt):
    """`--timeout` has passed: the command ends like one that was interrupted."""


app = typer.Typer(
    cls=_Group,
    name="zsops",
    help="Builds sites into releases and deploys them to hosts that run zeroserve.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"zsops {__version__}\n")
        raise typer.Exit


_On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="SELECTOR",
        help="Only these hosts: `eu & !canary`.",
        autocompletion=complete_selector,
    ),
]
_Site = Annotated[
    str | None,
    typer.Option(
        "--site",
        metavar="SITE",
        help="Only instances that serve this site, and of their sites this one.",
        autocompletion=complete_site,
    ),
]
_PerJump = Annotated[
    int,
    typer.Option("--per-jump", metavar="N", min=1, help="Hosts at a time through one jump host."),
]
_LimitRate = Annotated[
    str | None,
    typer.Option("--limit-rate", metavar="SIZE", help="Bytes a second to send: 500K, 2M."),
]


@app.callback()
def global_options(  # noqa: PLR0913, PLR0917 - one parameter an option, as typer wants them
    context: typer.Context,
    directory: Annotated[
        Path, typer.Option("-C", metavar="DIR", help="Work in this directory.")
    ] = Path(),
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            metavar="FILE",
            help="The file to read, relative to -C.",
            show_default="zsops.yaml",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout, errors included.")
    ] = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON event a line on stdout.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only what failed.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say more: builds, steps as they begin.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="Stop and revert after this time: 90s, 5m."),
    ] = None,
    on: _On = None,
    site: _Site = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, help="Hosts at a time, at most.")
    ] = CONCURRENCY,
    per_jump: _PerJump = PER_JUMP_MAX,
    limit_rate: _LimitRate = None,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    """Global options may stand before or after the command."""
    if as_json and as_jsonl:
        raise UsageError("`--json` and `--jsonl` exclude each other")
    if quiet and verbose:
        raise UsageError("`-q` and `-v` exclude each other")
    command = context.invoked_subcommand
    if site is not None and command not in OF_ONE_SITE:
        raise UsageError(
            f"`{command}` takes no `--site`", hint=f"these do: {', '.join(OF_ONE_SITE)}"
        )
    form: Form = "json" if as_json else "jsonl" if as_jsonl else "text"
    context.obj = Invocation(
        directory=directory,
        file=file,
        form=form,
        quiet=quiet,
        verbose=verbose,
        color=not no_color,
        timeout_s=_start_clock(timeout),
        on=on,
        site=site,
        concurrency=concurrency,
        limits=Limits(per_jump=per_jump, bytes_per_s=_rate(limit_rate)),
    )


def _start_clock(timeout: str | None) -> float | None:
    """Seconds of `--timeout`, which run from now."""
    if timeout is None:
        return None
    try:
        seconds = parse_duration(timeout) / 1000
    except ValueError:
        raise UsageError(f"`--timeout {timeout}` is no duration", hint=FORM_HINT) from None
    signal.signal(signal.SIGALRM, _time_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    return seconds


def _rate(text: str | None) -> int | None:
    """Bytes of `800`, `500K`, `2M`, `1G`, as curl's option of that name counts them."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})([KMG]?)", text)
    if match is None:
        raise UsageError(f"`--limit-rate {text}` is no size", hint="write `500K` or `2M`")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. Never raises for anything a user or a host did."""
    form: Form = "json" if "--json" in arguments else "jsonl" if "--jsonl" in arguments else "text"
    try:
        code = _command()(args=arguments or ["--help"], prog_name="zsops", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        # The reader left (`zsops history | head`). Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:
        return _report(_for_people(error), form, arguments)


def _for_people(error: BaseException) -> ZsopsError:
    """Any exception as an error with a code; what nobody foresaw is our bug."""
    if isinstance(error, ZsopsError):
        return error
    if isinstance(error, ZeroserveError):
        return BuildError(error.message, hint=error.hint)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        why = "the time of `--timeout` is up" if isinstance(error, TimeUp) else "interrupted"
        return _Interrupted(f"{why}; nothing was changed")
    usage = _usage_error(error)
    if usage is not None:
        return usage
    if os.environ.get("ZSOPS_DEBUG"):
        traceback.print_exception(error)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return ZsopsError(f"a fault of zsops: {said}", hint="run with ZSOPS_DEBUG=1 and report it")


class _Interrupted(ZsopsError):
    """Stopped by the operator, or by `--timeout`."""

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED


def _command() -> Any:  # noqa: ANN401 - typer's class differs between versions
    from zsops.cli import commands

    commands.register(app)
    return typer.main.get_command(app)


def _report(error: ZsopsError, form: Form, arguments: list[str]) -> int:
    if form == "text":
        sys.stdout.flush()
        sys.stderr.write(error.render() + "\n")
    elif form == "jsonl":
        print_summary(error)
    else:
        named = next((each for each in arguments if each in _command().commands), "")
        print_document(document(named, None, error.exit_code, error))
    return int(error.exit_code)


def _usage_error(error: BaseException) -> UsageError | None:
    """click's complaint as ours. Known by its method, since typer may bring its own click."""
    formatted = getattr(error, "format_message", None)
    if formatted is None:
        return None
    text = " ".join(str(formatted()).split()).rstrip(".")
    text = text.replace("'", "`")
    text = text[:1].lower() + text[1:]
    return UsageError(text or "no command", hint="`zsops --help` lists commands and options")


def _time_up(number: int, frame: FrameType | None) -> None:
    raise TimeUp
