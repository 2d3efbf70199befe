"""Doctor: `zeroserve doctor`, what this machine lacks and what to do about it."""

import json
import sys

import click

from zeroserve.config.address import parse_address
from zeroserve.doctor import Examination, examine
from zeroserve.errors import EXIT_OK, EXIT_REFUSED

MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
COLORS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command("doctor", short_help="Look for what would keep a server from running well here.")
@click.option("--addr", metavar="ADDR", multiple=True, help="Try to listen here. Repeatable.")
@click.option("--tls-addr", metavar="ADDR", multiple=True, help="And here. Repeatable.")
@click.option("--control", metavar="PATH", help="Judge the place of this control socket.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def doctor_command(
    addr: tuple[str, ...], tls_addr: tuple[str, ...], control: str | None, as_json: bool
) -> int:
    """Look for what would keep a server from running well on this machine.

    Kernel, io_uring, limits, clock, the engine itself; with --addr, --tls-addr and --control also
    whether those places can be used. Exit code 1 when there is a problem.
    """
    addresses = [parse_address(text, "http") for text in addr]
    addresses += [parse_address(text, "https") for text in tls_addr]
    results = examine(addresses, control)
    if as_json:
        click.echo(json.dumps(_document(results), indent=2))
    else:
        _table(results)
    return EXIT_REFUSED if any(result.state == "problem" for result in results) else EXIT_OK


def _document(results: list[Examination]) -> dict[str, object]:
    return {
        "v": 1,
        "ok": all(result.state != "problem" for result in results),
        "results": [
            {
                "what": result.what,
                "state": result.state,
                "found": result.found,
                "remedy": result.remedy,
            }
            for result in results
        ],
    }


def _table(results: list[Examination]) -> None:
    width = max(len(result.what) for result in results)
    for result in results:
        mark = click.style(MARKS[result.state], fg=COLORS[result.state])
        click.echo(f"{mark}  {result.what:<{width}}  {result.found}", color=sys.stdout.isatty())
        if result.remedy is not None:
            click.echo(f"{'':{len('PROBLEM') + width + 2}}  -> {result.remedy}")
