"""Check: `zeroserve check PATH`, everything that a start would refuse, without serving."""

import json
from pathlib import Path

import click

from zeroserve.check import Finding, check_cert_dir, check_pair, check_path
from zeroserve.errors import EXIT_OK, EXIT_REFUSED


@click.command("check", short_help="Judge a tarball or a release directory without serving it.")
@click.argument("path", metavar="SITE.tar|DIR")
@click.option("--cert", metavar="FILE", help="Judge this certificate chain as well.")
@click.option("--key", metavar="FILE", help="And its private key.")
@click.option("--cert-dir", metavar="DIR", help="Judge a directory of certificates and keys.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def check_command(
    path: str, cert: str | None, key: str | None, cert_dir: str | None, as_json: bool
) -> int:
    """Judge SITE.tar or a release directory: everything that a start would refuse.

    Every member is read and compared with the digest in the member index. Exit code 0 means that
    nothing is wrong; 1 that there are findings, one a line.
    """
    findings = list(check_path(Path(path)))
    if cert is not None or key is not None:
        findings += check_pair(
            None if cert is None else Path(cert), None if key is None else Path(key)
        )
    if cert_dir is not None:
        findings += check_cert_dir(Path(cert_dir))
    if as_json:
        click.echo(json.dumps(_document(path, findings), indent=2))
    else:
        _tell(path, findings)
    return EXIT_REFUSED if any(finding.is_error for finding in findings) else EXIT_OK


def _document(path: str, findings: list[Finding]) -> dict[str, object]:
    return {
        "v": 1,
        "path": path,
        "ok": not any(finding.is_error for finding in findings),
        "findings": [
            {
                "code": finding.code,
                "level": "error" if finding.is_error else "warning",
                "text": finding.text,
                "hint": finding.hint,
            }
            for finding in findings
        ],
    }


def _tell(path: str, findings: list[Finding]) -> None:
    for finding in findings:
        level = "error" if finding.is_error else "warning"
        click.echo(f"{level}[{finding.code}]: {finding.text}", err=True)
        if finding.hint is not None:
            click.echo(f"hint: {finding.hint}", err=True)
    if not findings:
        click.echo(f"{path}: good")
