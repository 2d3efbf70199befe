"""Load: what the command line said becomes a `ServerConfig`, or is refused with one clear line.

Runs in the front end only. Files are opened here only where their content is a setting (the probe
secret); site and certificates are read by the daemon, at start and at each reload alike.
"""

import ipaddress
import re
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path

from zeroserve.config.address import parse_address
from zeroserve.config.hostname import parse_hostname
from zeroserve.config.model import (
    CHUNK_BYTES_DEFAULT,
    CHUNK_BYTES_MIN,
    GRACE_SECONDS_DEFAULT,
    LIMITS_DEFAULT,
    SCRIPT_LIMITS_DEFAULT,
    THREADS_DEFAULT,
    Limits,
    ListenAddress,
    ScriptLimits,
    ServerConfig,
    TlsFiles,
    TlsPair,
)
from zeroserve.errors import FileRefused, UsageRefused

ADDRESS_DEFAULT = "0.0.0.0:8080"
PROXIES_DEFAULT = ("127.0.0.0/8", "::1/128")
UPSTREAM_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
PROBE_SECRET = re.compile(r"[A-Za-z0-9_-]{16,512}")


@dataclass(frozen=True, slots=True)
class ServeWish:
    """The serving flags as they were given, before any is judged against another."""

    site: str | None = None
    release: str | None = None
    addr: tuple[str, ...] = ()
    tls_addr: tuple[str, ...] = ()
    cert: str | None = None
    key: str | None = None
    cert_dir: str | None = None
    dev_cert: bool = False
    ech_key: str | None = None
    ech_relay: str | None = None
    ech_clear: str | None = None
    enable_proxy_protocol: bool = False
    enable_http_proxy_protocol: bool = False
    enable_https_proxy_protocol: bool = False
    proxy_protocol_from: str | None = None
    reload_signal_file: str | None = None
    threads: int = THREADS_DEFAULT
    index: str = ""
    try_html: bool = False
    chunk_size: int = CHUNK_BYTES_DEFAULT
    disable_request_logging: bool = False
    access_log: str | None = None
    log_format: str = "common"
    control: str | None = None
    probe_file: str | None = None
    grace: float = GRACE_SECONDS_DEFAULT
    reuse_port: bool = False
    validate_hostnames: str | None = None
    redirect_https: bool = False
    https_port: int | None = None
    metrics_addr: str | None = None
    limits: Limits = LIMITS_DEFAULT
    scripts: ScriptLimits = SCRIPT_LIMITS_DEFAULT


@dataclass(slots=True)
class LoadedConfig:
    """A config, and what to tell the user about it on stderr."""

    config: ServerConfig
    notices: list[str] = field(default_factory=list)


def load_config(wish: ServeWish) -> LoadedConfig:
    """Judge the flags together.

    Raises `UsageRefused`, `FileRefused` and what `--dev-cert` may raise.
    """
    _judge_source(wish)
    listeners = _listeners(wish)
    _judge_tls(wish, listeners)
    _judge_ech(wish, listeners)
    _judge_redirect(wish, listeners)
    notices: list[str] = []
    metrics = _metrics_address(wish, listeners, notices)
    secret = None if wish.probe_file is None else _read_secret(Path(wish.probe_file), notices)
    dev_pair = _make_dev_pair(listeners, notices) if wish.dev_cert else None
    files = None
    if wish.cert is not None and wish.key is not None:
        files = TlsFiles(cert=wish.cert, key=wish.key)
    log_format = (
        None if wish.disable_request_logging or wish.log_format == "off" else wish.log_format
    )
    proxy_schemes = _proxy_schemes(wish, listeners)
    config = ServerConfig(
        site=wish.site,
        release=wish.release,
        listeners=listeners,
        tls_files=files,
        cert_dir=wish.cert_dir,
        dev_pair=dev_pair,
        ech_key=wish.ech_key,
        ech_relay=wish.ech_relay,
        ech_clear=wish.ech_clear or "serve",
        proxy_schemes=proxy_schemes,
        proxy_from=_proxy_networks(wish.proxy_protocol_from, proxy_schemes),
        reload_signal_file=wish.reload_signal_file,
        threads=wish.threads,
        index=wish.index or "index.html",
        try_html=wish.try_html,
        chunk_size=max(wish.chunk_size, CHUNK_BYTES_MIN),
        access_log=wish.access_log,
        log_format=log_format,
        control=wish.control,
        probe_secret=secret,
        grace_s=wish.grace,
        reuse_port=wish.reuse_port,
        hostnames=_hostnames(wish.validate_hostnames),
        redirect_https=wish.redirect_https,
        https_port=wish.https_port,
        limits=wish.limits,
        scripts=wish.scripts,
        metrics_address=metrics,
    )
    return LoadedConfig(config, notices)


def _judge_source(wish: ServeWish) -> None:
    if wish.site is None and wish.release is None:
        raise UsageRefused(
            "usage",
            "nothing to serve: give a SITE.tar or `--release DIR`",
            hint="pack a folder first: `zeroserve pack DIR -o site.tar`",
        )
    if wish.release is None:
        return
    for given, name in (
        (wish.site, "a SITE.tar"),
        (wish.cert, "`--cert`"),
        (wish.key, "`--key`"),
        (wish.cert_dir, "`--cert-dir`"),
        (wish.ech_key, "`--ech-key`"),
        (wish.dev_cert or None, "`--dev-cert`"),
    ):
        if given is not None:
            raise UsageRefused(
                "usage",
                f"`--release` brings its own site and certificate, {name} cannot be given with it",
                hint="give either a release directory or single files",
            )


def _listeners(wish: ServeWish) -> tuple[ListenAddress, ...]:
    plain = list(wish.addr)
    if not plain and not wish.tls_addr:
        plain = [ADDRESS_DEFAULT]
    listeners = [parse_address(text, "http") for text in plain]
    listeners += [parse_address(text, "https") for text in wish.tls_addr]
    seen: set[tuple[object, ...]] = set()
    for one in listeners:
        place = _place(one)
        if place in seen and (one.kind != "tcp" or one.port != 0):
            raise UsageRefused("usage", f"`{one.text}` is given twice", hint="leave one out")
        seen.add(place)
    return tuple(listeners)


def _place(one: ListenAddress) -> tuple[object, ...]:
    return (one.kind, one.host, one.port, one.path, one.fd)


def _metrics_address(
    wish: ServeWish, listeners: tuple[ListenAddress, ...], notices: list[str]
) -> ListenAddress | None:
    if wish.metrics_addr is None:
        return None
    address = parse_address(wish.metrics_addr, "http")
    fixed = address.kind != "tcp" or address.port != 0
    if fixed and _place(address) in {_place(one) for one in listeners}:
        raise UsageRefused(
            "usage",
            f"`{address.text}` is given twice",
            hint="metrics have a listener of their own",
        )
    if address.kind == "tcp" and not ipaddress.ip_address(address.host).is_loopback:
        notices.append(
            f"warning: everybody who reaches `{address.text}` can read the metrics "
            "(`127.0.0.1:PORT` is for this machine only)"
        )
    return address


def _hostnames(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    try:
        names = [parse_hostname(one.strip()) for one in text.split(",")]
    except ValueError as error:
        raise UsageRefused(
            "usage",
            f"--validate-hostnames: {error}",
            hint="give a comma list, as `example.org,www.example.org`",
        ) from None
    return tuple(dict.fromkeys(names))


def _judge_redirect(wish: ServeWish, listeners: tuple[ListenAddress, ...]) -> None:
    if not wish.redirect_https:
        if wish.https_port is not None:
            raise UsageRefused("usage", "`--https-port` is for `--redirect-https`")
        return
    schemes = {one.scheme for one in listeners}
    if schemes != {"http", "https"}:
        raise UsageRefused(
            "usage",
            "`--redirect-https` needs a listener to redirect from and one to redirect to",
            hint="give `--addr` and `--tls-addr`",
        )
    first = next(one for one in listeners if one.scheme == "https")
    if wish.https_port is None and first.kind == "unix":
        raise UsageRefused(
            "usage",
            f"`--redirect-https`: `{first.text}` has no port to redirect to",
            hint="name the port that clients use: `--https-port 443`",
        )


def _judge_tls(wish: ServeWish, listeners: tuple[ListenAddress, ...]) -> None:
    if (wish.cert is None) != (wish.key is None):
        raise UsageRefused("usage", "--cert and --key must be provided together")
    sources = {
        "`--cert` and `--key`": wish.cert is not None,
        "`--cert-dir`": wish.cert_dir is not None,
        "`--dev-cert`": wish.dev_cert,
    }
    given = [name for name, is_given in sources.items() if is_given]
    if len(given) > 1:
        raise UsageRefused("usage", f"{given[1]} cannot be given with {given[0]}")
    has_source = bool(given)
    has_listener = any(listener.scheme == "https" for listener in listeners)
    if has_source and not has_listener:
        raise UsageRefused(
            "usage",
            "--tls-addr is required when enabling TLS",
            hint="add for example `--tls-addr 0.0.0.0:8443`",
        )
    if has_listener and not has_source and wish.release is None:
        raise UsageRefused(
            "usage",
            "`--tls-addr` needs a certificate",
            hint="give `--cert FILE --key FILE` or `--cert-dir DIR`, or `--dev-cert` for a try",
        )


def _judge_ech(wish: ServeWish, listeners: tuple[ListenAddress, ...]) -> None:
    if wish.ech_key is not None and not any(one.scheme == "https" for one in listeners):
        raise UsageRefused("usage", "`--ech-key` needs an HTTPS listener", hint="give `--tls-addr`")
    for value, name in ((wish.ech_relay, "--ech-relay"), (wish.ech_clear, "--ech-clear")):
        if value is not None and wish.ech_key is None and wish.release is None:
            raise UsageRefused("usage", f"`{name}` is for a server with `--ech-key`")
    if wish.ech_relay is None:
        return
    host, _, port = wish.ech_relay.rpartition(":")
    good_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not good_port or not UPSTREAM_HOST.fullmatch(host):
        raise UsageRefused(
            "usage",
            f"`--ech-relay`: `{wish.ech_relay}` is no place to connect to",
            hint="give HOST:PORT, as `public.example:443` or `[2001:db8::1]:443`",
        )


def _proxy_schemes(wish: ServeWish, listeners: tuple[ListenAddress, ...]) -> tuple[str, ...]:
    wanted = {
        "http": wish.enable_proxy_protocol or wish.enable_http_proxy_protocol,
        "https": wish.enable_proxy_protocol or wish.enable_https_proxy_protocol,
    }
    there = {one.scheme for one in listeners}
    for scheme, named in (
        ("http", wish.enable_http_proxy_protocol),
        ("https", wish.enable_https_proxy_protocol),
    ):
        if named and scheme not in there:
            text = f"`--enable-{scheme}-proxy-protocol` is for a listener that is not there"
            raise UsageRefused("usage", text)
    return tuple(scheme for scheme, is_wanted in wanted.items() if is_wanted and scheme in there)


def _proxy_networks(text: str | None, schemes: tuple[str, ...]) -> tuple[str, ...]:
    if text is None:
        return PROXIES_DEFAULT if schemes else ()
    if not schemes:
        raise UsageRefused(
            "usage", "`--proxy-protocol-from` is for a server with `--enable-proxy-protocol`"
        )
    try:
        return tuple(str(ipaddress.ip_network(one.strip())) for one in text.split(","))
    except ValueError as error:
        raise UsageRefused(
            "usage",
            f"--proxy-protocol-from: {error}",
            hint="give a comma list of addresses and networks, as `192.0.2.7,10.0.0.0/8`",
        ) from None


def _read_secret(path: Path, notices: list[str]) -> str:
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            raw = file.read(4096)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise FileRefused("probe-bad", f"probe file `{path}`: {why}") from error
    secret = raw.decode(errors="replace").strip()
    if not PROBE_SECRET.fullmatch(secret):
        raise FileRefused(
            "probe-bad",
            f"probe file `{path}` does not hold one secret of 16 to 512 `A-Za-z0-9_-`",
            hint=f"make one: `openssl rand -hex 24 > {path}`",
        )
    if stat.S_IMODE(mode) & 0o077:
        notices.append(f"warning: probe file `{path}` can be read by others (chmod 600 closes it)")
    return secret


def _make_dev_pair(listeners: tuple[ListenAddress, ...], notices: list[str]) -> TlsPair:
    from zeroserve.tls.self_signed import make_dev_certificate

    names = ["localhost", "127.0.0.1", "::1"]
    wildcards = ("0.0.0.0", "::")  # noqa: S104  # compared with, not bound to
    names += [one.host for one in listeners if one.kind == "tcp" and one.host not in wildcards]
    if re.fullmatch(r"[A-Za-z0-9.-]{1,63}", socket.gethostname()):
        names.append(socket.gethostname())
    made = make_dev_certificate(list(dict.fromkeys(names)))
    notices.append(f"development certificate, SHA-256 fingerprint {made.fingerprint}")
    return TlsPair(
        cert_pem=made.cert_pem.decode(),
        key_pem=made.key_pem.decode(),
        cert_name="the development certificate",
        key_name="the development key",
    )
