"""App: one program in two forms side by side, flags without a verb and verbs.

Every error ends here as two lines on stderr and an exit code: 0 done, 1 refused or findings,
2 usage, 70 a bug of ours.
"""

import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from zeroserve import __version__
from zeroserve.cli.refused import UNSUPPORTED_FLAGS
from zeroserve.errors import EXIT_BUG, EXIT_REFUSED, UsageRefused, ZeroserveError

VERBS = {
    "check": "zeroserve.cli.check:check_command",
    "dev": "zeroserve.cli.dev:dev_command",
    "doctor": "zeroserve.cli.doctor:doctor_command",
    "explain": "zeroserve.cli.explain:explain_command",
    "pack": "zeroserve.cli.pack:pack_command",
    "reload": "zeroserve.cli.control:reload_command",
    "status": "zeroserve.cli.status:status_command",
    "test": "zeroserve.cli.test:test_command",
}
USAGE = (
    "zeroserve [OPTIONS] SITE.tar",
    "zeroserve [OPTIONS] --release DIR",
    "zeroserve --pack DIR > site.tar",
    "zeroserve check|dev|doctor|explain|pack|reload|status|test ...",
)
EXAMPLES = """\
Examples:
  zeroserve pack public -o site.tar          make a tarball of a folder
  zeroserve --addr 127.0.0.1:8080 site.tar   serve it
  zeroserve --tls-addr :8443 --dev-cert site.tar
  zeroserve --tls-addr :443 --cert chain.pem --key key.pem site.tar
  killall -HUP zeroserve                     load the tarball and the certificate again

A file that is named like a verb is written `./check`.
Signals: HUP reloads, USR1 reopens the access log, TERM and INT finish requests and end.
Exit codes: 0 done, 1 refused or findings, 2 usage, 70 a bug of zeroserve.
Completion: eval "$(_ZEROSERVE_COMPLETE=bash_source zeroserve)"   (or zsh_source, fish_source)
"""


class App(click.Group):
    """The whole command line. What is no verb is the serving form."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs; the serving form has no name."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb's module only when it is wanted: packing needs no certificates."""
        if cmd_name == "serve":
            return _serve_command()
        if cmd_name not in VERBS:
            return None
        module_name, _, attribute = VERBS[cmd_name].partition(":")
        module = __import__(module_name, fromlist=[attribute])
        command: click.Command = getattr(module, attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Send everything that does not begin with a verb to the serving form."""
        if args and args[0] not in {*VERBS, "--help", "-h", "--version"}:
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the serving form's flags beside the verbs."""
        own = super().shell_complete(ctx, incomplete)
        serve = _serve_command()
        with serve.make_context("serve", [], parent=ctx, resilient_parsing=True) as inner:
            return own + serve.shell_complete(inner, incomplete)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both forms on one page."""
        for number, line in enumerate(USAGE):
            formatter.write_usage("", line, prefix="Usage: " if number == 0 else "       ")
        formatter.write_paragraph()
        formatter.write_text("Serve one tarball over HTTP and HTTPS. Nothing is unpacked.")
        serve = _serve_command()
        options = [one for one in serve.get_params(ctx) if isinstance(one, click.Option)]
        options += [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        records = [record for one in options if (record := one.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(records)
        with formatter.section("Verbs (each has its own --help)"):
            verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
            formatter.write_dl([(name, one.get_short_help_str(70)) for name, one in verbs if one])
        formatter.write("\n" + EXAMPLES)


def _serve_command() -> click.Command:
    from zeroserve.cli.serve import serve

    return serve


@click.command(
    cls=App,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="zeroserve", message="%(prog)s %(version)s")
def app() -> None:
    """Serve one tarball."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code; the serving form does not return at all."""
    try:
        result = app.main(
            list(arguments), prog_name="zeroserve", standalone_mode=False, obj=list(arguments)
        )
    except ZeroserveError as error:
        click.echo(error.render(), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_REFUSED
    except click.ClickException as error:
        return _usage(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_REFUSED
    except Exception as bug:
        if os.environ.get("ZEROSERVE_DEBUG"):
            raise
        text = f"error[engine-bug]: {type(bug).__name__}: {bug}"
        hint = "please report this; `ZEROSERVE_DEBUG=1` shows where it happened"
        click.echo(f"{text}\nhint: {hint}", err=True)
        return EXIT_BUG
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException) -> int:
    hint: str | None = "`zeroserve --help` lists the options"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        if name in UNSUPPORTED_FLAGS:
            refusal = UsageRefused(
                "not-supported", f"`{name}` is not supported by this version", hint=hint
            )
            click.echo(refusal.render(), err=True)
            return refusal.exit_code
        if error.possibilities:
            hint = f"did you mean `{'`, `'.join(sorted(error.possibilities))}`?"
        message = f"there is no option `{name}`"
    else:
        message = error.format_message().rstrip(".")
        message = message[:1].lower() + message[1:].replace("'", "`")
    refusal = UsageRefused("usage", message, hint=hint)
    click.echo(refusal.render(), err=True)
    return refusal.exit_code
