"""Explain: `zeroserve explain SITE METHOD URL`, what scripts do to one request."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from zeroserve.bridge.trial import PEER_DEFAULT, TrialRequest
from zeroserve.errors import EXIT_OK, UsageRefused
from zeroserve.trial.explanation import explain_document, explain_lines
from zeroserve.trial.site import opened_site


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"`{text}` is not like `Name: value`")
    return name.strip(), value.strip()


@click.command("explain", short_help="Show what scripts do to one request.")
@click.argument("site", metavar="DIR|SITE.tar")
@click.argument("method", metavar="METHOD")
@click.argument("url", metavar="URL")
@click.option("-H", "--header", "headers", type=_header, multiple=True, metavar="'NAME: VALUE'")
@click.option("--data", metavar="TEXT", default="", help="The request's body.")
@click.option("--peer", metavar="IP:PORT", default=PEER_DEFAULT, show_default=True)
@click.option("--http2", is_flag=True, help="As if it came over HTTP/2.")
@click.option("--ja4", metavar="TEXT", help="The client's TLS fingerprint.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def explain_command(  # noqa: PLR0913, PLR0917  # one for each flag
    site: str,
    method: str,
    url: str,
    headers: tuple[tuple[str, str], ...],
    data: str,
    peer: str,
    http2: bool,
    ja4: str | None,
    as_json: bool,
) -> int:
    """Show which scripts run on a request, each helper they call, and the answer.

    URL is a path (`/a?b`) or whole (`https://host/a?b`). Nothing listens and nothing is sent.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("", "http", "https") or not parts.path.startswith(("/", "*")):
        raise UsageRefused("usage", f"`{url}` is no path and no URL with one")
    if parts.netloc:
        headers = (("Host", parts.netloc), *headers)
    request = TrialRequest(
        method=method,
        target=parts.path + (f"?{parts.query}" if parts.query else ""),
        headers=headers,
        body=data.encode(),
        peer=peer,
        tls=parts.scheme != "http",
        http2=http2,
        sni=parts.hostname if parts.scheme == "https" else None,
        ja4=ja4,
    )
    with opened_site(Path(site)) as trial:
        answer = trial.ask(request)
    if as_json:
        click.echo(json.dumps(explain_document(request, answer), indent=2))
    else:
        click.echo("\n".join(explain_lines(request, answer)))
    return EXIT_OK
