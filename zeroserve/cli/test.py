"""Test: `zeroserve test DIR|SITE.tar`, requests against what their answers should be."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from zeroserve.errors import EXIT_OK, EXIT_REFUSED
from zeroserve.trial.run_cases import CaseResult, find_case_files, run_files
from zeroserve.trial.site import site_file


@click.command("test", short_help="Try requests on a site without a server, and judge the answers.")
@click.argument("site", metavar="DIR|SITE.tar")
@click.option(
    "--cases",
    multiple=True,
    metavar="FILE|DIR",
    help="Cases to run. [default: DIR/.zeroserve/tests]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def test_command(site: str, cases: tuple[str, ...], as_json: bool) -> int:
    """Run the cases of a site: requests, and what their answers should be.

    Scripts run as on a server, in the same sandbox, but nothing listens. Exit code 0 means that
    every answer is as expected; 1 that one is not.
    """
    path = Path(site)
    files = find_case_files(path, [Path(one) for one in cases])
    with site_file(path) as (descriptor, packed):
        for warning in packed.warnings if packed is not None else ():
            click.echo(f"warning: {warning}", err=True)
        results = list(run_files(descriptor, site, files))
    if as_json:
        click.echo(json.dumps(_document(site, results), indent=2))
    else:
        _tell(results)
    return EXIT_REFUSED if any(result.faults for result in results) else EXIT_OK


def _document(site: str, results: Sequence[CaseResult]) -> dict[str, object]:
    return {
        "v": 1,
        "site": site,
        "ok": not any(result.faults for result in results),
        "cases": [
            {
                "file": str(result.file),
                "name": result.case.name,
                "ok": not result.faults,
                "faults": result.faults,
                "status": result.answer.status,
                "answered_by": result.answer.answered_by,
                "log": result.answer.log,
            }
            for result in results
        ],
    }


def _tell(results: Sequence[CaseResult]) -> None:
    file = None
    for result in results:
        if result.file != file:
            file = result.file
            click.echo(str(file))
        click.echo(f"  {'FAIL' if result.faults else 'ok'}  {result.case.name}")
        for line in "\n".join((*result.faults, *result.answer.log)).splitlines():
            if result.faults:
                click.echo(f"        {line}")
    failed = sum(bool(result.faults) for result in results)
    click.echo(f"{len(results) - failed} as expected, {failed} not")
