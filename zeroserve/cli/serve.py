"""Serve: the form without a verb. Judges the flags, then becomes the daemon."""

import sys
from pathlib import Path

import click

from zeroserve.cli.limits import limit_options, take_limits
from zeroserve.cli.pack_options import COMPILER_OPTION, NO_IMMUTABLE_OPTION, PRECOMPRESS_OPTION
from zeroserve.cli.proxy import proxy_options
from zeroserve.cli.values import port, positive_int, positive_number
from zeroserve.config.load import ServeWish, load_config
from zeroserve.config.model import CHUNK_BYTES_DEFAULT, GRACE_SECONDS_DEFAULT, THREADS_DEFAULT
from zeroserve.errors import EXIT_OK, UsageRefused
from zeroserve.scripts.job import AUTO

ECH_CLEAR = ("serve", "refuse", "relay")
#: What the flags of `--pack` are when they are not given.
_PACKING: dict[str, object] = {
    "include_hidden": False,
    "precompress": (),
    "no_immutable": False,
    "compiler": AUTO,
}
LOG_FORMATS = ("common", "combined", "json", "off")


@click.command(
    "serve",
    add_help_option=False,
    context_settings={"max_content_width": 100},
)
@click.argument("site", metavar="SITE.tar", required=False)
@click.option(
    "--release",
    metavar="DIR",
    help="Serve a release directory (site.tar, tls/, manifest.json) instead. Each reload resolves "
    "DIR anew, so renaming a symlink switches the site and its certificate at once.",
)
@click.option(
    "--addr",
    metavar="ADDR",
    multiple=True,
    help="Plain HTTP listener: ip:port, [v6]:port, :port (both families), unix:PATH, fd:N. Port 0 "
    "lets the kernel choose. Repeatable. [default: 0.0.0.0:8080 when no --tls-addr is given]",
)
@click.option(
    "--tls-addr",
    metavar="ADDR",
    multiple=True,
    help="HTTPS listener (TLS 1.3), same forms. Repeatable. Needs --cert and --key, --cert-dir, "
    "--dev-cert or --release.",
)
@click.option("--cert", metavar="FILE", help="Certificate chain, PEM, the server's own first.")
@click.option("--key", metavar="FILE", help="Its private key, PEM.")
@click.option(
    "--cert-dir",
    metavar="DIR",
    help="Instead: certificates and keys, PEM, in files of any names; each client gets the one for "
    "the name it asks for.",
)
@click.option(
    "--dev-cert",
    is_flag=True,
    help="Make a self-signed certificate for this run and print its fingerprint.",
)
@click.option(
    "--ech-key",
    metavar="PATH",
    help="Keys for Encrypted Client Hello: a file made by --gen-ech-key, or a directory of them, "
    "the newest last.",
)
@click.option(
    "--ech-relay",
    metavar="HOST:PORT",
    help="Where connections go that are not for this server, byte for byte. [default: port 443 of "
    "the public name, when no certificate covers it]",
)
@click.option(
    "--ech-clear",
    type=click.Choice(ECH_CLEAR),
    help="What becomes of clients that name a host in clear though there are ECH keys. "
    "[default: serve]",
)
@click.option(
    "--gen-ech-key",
    is_flag=True,
    help="Do not serve: print a new ECH key, and on stderr the DNS records that publish it.",
)
@click.option(
    "--ech-public-name",
    metavar="NAME",
    help="With --gen-ech-key: the host name that the wire will see.",
)
@proxy_options
@click.option(
    "--redirect-https",
    is_flag=True,
    help="Answer every request over plain HTTP with 308 to HTTPS, on the port of the first "
    "--tls-addr.",
)
@click.option(
    "--https-port",
    type=port,
    metavar="PORT",
    help="With --redirect-https: the port that clients use, where it is another one.",
)
@click.option(
    "--validate-hostnames",
    metavar="LIST",
    help="Comma list of the hosts that are served; requests for others get 421.",
)
@click.option(
    "--threads",
    type=positive_int,
    metavar="N",
    default=THREADS_DEFAULT,
    show_default=True,
    help="Event loops in this process.",
)
@click.option(
    "--reuse-port",
    is_flag=True,
    help="Share the ports with other processes that do the same. Without it a second server on a "
    "port is refused.",
)
@click.option(
    "--index", metavar="NAME", default="index.html", show_default=True, help="Directory document."
)
@click.option("--try-html", is_flag=True, help="Try PATH.html when nothing else matched.")
@click.option(
    "--chunk-size",
    type=positive_int,
    metavar="BYTES",
    default=CHUNK_BYTES_DEFAULT,
    show_default=True,
    help="Largest read from the tarball per step.",
)
@click.option(
    "--access-log",
    metavar="FILE",
    help="Append the request log to FILE; SIGUSR1 reopens it. [default: stderr]",
)
@click.option(
    "--log-format",
    type=click.Choice(LOG_FORMATS),
    default="common",
    show_default=True,
    help="Form of the request log.",
)
@click.option("--disable-request-logging", is_flag=True, help="The same as --log-format off.")
@click.option(
    "--control",
    metavar="PATH",
    help="Listen on a control socket (mode 0600) for `status`, `reload` and deployment tools.",
)
@click.option(
    "--probe-file",
    metavar="FILE",
    help="File with a secret of 16 or more characters; /.zeroserve/probe/SECRET then answers "
    "health checks with the digest that is served.",
)
@click.option(
    "--metrics-addr",
    metavar="ADDR",
    help="Plain HTTP listener for GET /metrics (Prometheus text), same forms as --addr. Best on "
    "loopback: whoever reaches it can read.",
)
@limit_options
@click.option(
    "--reload-signal-file",
    metavar="FILE",
    help="Look at FILE each second and reload when its content has changed.",
)
@click.option(
    "--grace",
    type=positive_number,
    metavar="SECONDS",
    default=GRACE_SECONDS_DEFAULT,
    show_default=True,
    help="How long a SIGTERM waits for requests in flight.",
)
@click.option(
    "--pack",
    "pack_directory",
    metavar="DIR",
    help="Do not serve: write DIR as a tarball to standard output, or to -o FILE.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="With --pack: write there, whole or not at all."
)
@click.option(
    "--include-hidden",
    is_flag=True,
    help="With --pack: keep what is left out by default (version control, .env*, private keys, "
    "editor backups).",
)
@PRECOMPRESS_OPTION
@NO_IMMUTABLE_OPTION
@COMPILER_OPTION
@click.option("--dump-sdk", is_flag=True, help="Print `zeroserve.h`, which scripts include.")
@click.pass_context
def serve(ctx: click.Context, /, **flags: object) -> int:
    """Serve one tarball, or pack a folder into one."""
    if flags.pop("dump_sdk"):
        return _dump_sdk(flags)
    directory = flags.pop("pack_directory")
    output = flags.pop("output")
    packing = {name: flags.pop(name) for name in _PACKING}
    if isinstance(directory, str):
        if flags["site"] is not None or flags["release"] is not None:
            raise UsageRefused("usage", "`--pack` cannot be given with something to serve")
        return _pack(Path(directory), output if isinstance(output, str) else None, packing)
    if output is not None or packing != _PACKING:
        raise UsageRefused(
            "usage",
            "`-o`, `--include-hidden`, `--precompress`, `--no-immutable` and `--ebpf-compiler` are "
            "for `--pack DIR`",
        )
    public_name = flags.pop("ech_public_name")
    if flags.pop("gen_ech_key"):
        if flags["site"] is not None or flags["release"] is not None:
            raise UsageRefused("usage", "`--gen-ech-key` cannot be given with something to serve")
        from zeroserve.cli.ech import gen_ech_key

        return gen_ech_key(public_name, flags["ech_key"])
    if public_name is not None:
        raise UsageRefused("usage", "`--ech-public-name` is for `--gen-ech-key`")
    limits, scripts = take_limits(flags)
    loaded = load_config(ServeWish(**flags, limits=limits, scripts=scripts))  # type: ignore[arg-type]  # click's names are its fields
    for notice in loaded.notices:
        click.echo(notice, err=True)
    sys.stderr.flush()
    from zeroserve.control.handoff import hand_off

    return hand_off(loaded.config, ctx.obj)


def _pack(directory: Path, output: str | None, wish: dict[str, object]) -> int:
    # A server's start, which is most of what this module is for, loads no packer.
    from zeroserve.cli.pack import pack_to
    from zeroserve.pack.archive import PackOptions
    from zeroserve.pack.script_files import ScriptChoice

    options = PackOptions(
        include_hidden=bool(wish["include_hidden"]),
        precompress=wish["precompress"],  # type: ignore[arg-type]  # click made it
        immutable=not wish["no_immutable"],
        scripts=ScriptChoice(str(wish["compiler"])),
    )
    pack_to(directory, output, options)
    return EXIT_OK


def _dump_sdk(flags: dict[str, object]) -> int:
    if flags["site"] is not None or flags["pack_directory"] is not None:
        raise UsageRefused("usage", "`--dump-sdk` is given alone")
    from zeroserve.sdk import HEADER

    click.echo(HEADER.read_text(), nl=False)
    return EXIT_OK
