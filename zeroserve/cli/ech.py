"""ECH: `--gen-ech-key`, a new key on standard output and on stderr what belongs into DNS."""

from pathlib import Path

import click

from zeroserve.errors import EXIT_OK, FileRefused, UsageRefused
from zeroserve.tls.ech import EchKey, config_list, generate, read_bundle

PORT_EXAMPLE = 8443


def gen_ech_key(public_name: object, place: object) -> int:
    """Print a key for this public name. With `place`, where the others are, its config id is free.

    Raises `UsageRefused`, `FileRefused`, `TlsRefused`.
    """
    if not isinstance(public_name, str):
        raise UsageRefused("usage", "--gen-ech-key requires --ech-public-name")
    taken = _taken_ids(Path(place)) if isinstance(place, str) else set()
    key = generate(public_name, taken)
    click.echo(key.bundle(), nl=False)
    plain, other_port = dns_records(key)
    click.echo(
        f'ech="{config_list([key.config])}"\n'
        f"config_id 0x{key.config_id:02x}\n"
        "once every server has the key, publish for each hidden HOST:\n"
        f"  {plain}\n"
        f"or, where it is served on another port (here {PORT_EXAMPLE}):\n"
        f"  {other_port}",
        err=True,
    )
    return EXIT_OK


def dns_records(key: EchKey, host: str = "HOST", port: int = PORT_EXAMPLE) -> tuple[str, str]:
    """The HTTPS records (RFC 9460) that publish a key, ready to paste: for port 443 and another.

    On another port the target must be the host's name again: with `.` a client would look for the
    address of `_8443._https.HOST.`, find none, and go on without ECH.
    """
    ech = f'alpn="h2,http/1.1" ech="{config_list([key.config])}"'
    return (
        f"{host}. 300 IN HTTPS 1 . {ech}",
        f"_{port}._https.{host}. 300 IN HTTPS 1 {host}. {ech}",
    )


def _taken_ids(place: Path) -> set[int]:
    try:
        paths = [one for one in place.iterdir() if one.is_file()] if place.is_dir() else [place]
        texts = [(one.read_bytes(), str(one)) for one in paths if not one.name.startswith(".")]
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FileRefused("key-unreadable", f"ECH key `{place}`: {why}") from error
    return {key.config_id for text, name in texts for key in read_bundle(text, name)}
