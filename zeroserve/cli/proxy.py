"""Proxy: the flags for listeners behind a proxy that says whom a connection is for."""

from collections.abc import Callable
from typing import Any

import click

FLAGS = (
    (
        "--enable-proxy-protocol",
        "Every connection begins with a header of the PROXY protocol "
        "(version 1 or 2); one without it is closed.",
    ),
    ("--enable-http-proxy-protocol", "The same, on plain HTTP listeners only."),
    ("--enable-https-proxy-protocol", "The same, on HTTPS listeners only."),
)


def proxy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command."""
    command = click.option(
        "--proxy-protocol-from",
        metavar="LIST",
        help="Comma list of the addresses and networks of those proxies; connections from others "
        "are closed. [default: this machine]",
    )(command)
    for flag, text in reversed(FLAGS):
        command = click.option(flag, is_flag=True, help=text)(command)
    return command
