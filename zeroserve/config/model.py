"""Model: one server's settings, complete and judged. What the command line said is not seen here.

The front end makes a `ServerConfig`; the lean daemon gets it as JSON through an inherited
descriptor, never through argv or the environment, because it may hold keys.
"""

import json

from zeroserve.config.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

THREADS_DEFAULT = 1
CHUNK_BYTES_DEFAULT = 64 << 10
CHUNK_BYTES_MIN = 1024  # smaller reads cost more calls than they save memory
GRACE_SECONDS_DEFAULT = 10.0


class ListenAddress(Record):
    """Where to listen. `kind` is `tcp` (host and port), `unix` (path) or `fd` (number)."""

    scheme: str
    kind: str
    text: str
    host: str = ""
    port: int = 0
    path: str = ""
    fd: int = -1


class TlsFiles(Record):
    """Paths of the PEM chain and of its key."""

    cert: str
    key: str


class TlsPair(Record):
    """PEM texts of a chain and its key, with what to call them in errors."""

    cert_pem: str
    key_pem: str
    cert_name: str
    key_name: str


class Limits(Record):
    """What a connection may take. Times in whole seconds; a count of 0 means no limit.

    The reasons for the defaults are in `zeroserve.cli.limits`, beside the flags.
    """

    handshake_seconds: int = 10
    head_seconds: int = 10
    body_seconds: int = 30
    idle_seconds: int = 75
    send_seconds: int = 60
    requests_per_connection: int = 0
    connections: int = 0
    connections_per_address: int = 0


LIMITS_DEFAULT = Limits()


class ScriptLimits(Record):
    """What one request's scripts may take. The reasons are in `zeroserve.cli.limits`."""

    time_slice_ms: int = 2
    footprint_kb: int = 256
    buffered_body_kb: int = 256
    rate_limit_buckets: int = 10_000


SCRIPT_LIMITS_DEFAULT = ScriptLimits()


class ServerConfig(Record):
    """Everything the daemon needs. Exactly one of `site` and `release` is set.

    Paths are as they were given and stay relative to the directory the server was started in.
    `access_log` None means stderr, `log_format` None no log; `grace_s` in seconds. `hostnames` None
    means every host; with `redirect_https` a `https_port` of None is that of the first HTTPS
    listener.
    """

    site: str | None = None
    release: str | None = None
    listeners: tuple[ListenAddress, ...]
    tls_files: TlsFiles | None = None
    cert_dir: str | None = None
    dev_pair: TlsPair | None = None
    ech_key: str | None = None
    ech_relay: str | None = None
    ech_clear: str = "serve"
    proxy_schemes: tuple[str, ...] = ()
    proxy_from: tuple[str, ...] = ()
    reload_signal_file: str | None = None
    threads: int = THREADS_DEFAULT
    index: str = "index.html"
    try_html: bool = False
    chunk_size: int = CHUNK_BYTES_DEFAULT
    access_log: str | None = None
    log_format: str | None = "common"
    control: str | None = None
    probe_secret: str | None = None
    grace_s: float = GRACE_SECONDS_DEFAULT
    reuse_port: bool = False
    hostnames: tuple[str, ...] | None = None
    redirect_https: bool = False
    https_port: int | None = None
    limits: Limits = LIMITS_DEFAULT
    scripts: ScriptLimits = SCRIPT_LIMITS_DEFAULT
    metrics_address: ListenAddress | None = None

    @property
    def has_tls(self) -> bool:
        """Whether any listener speaks TLS."""
        return any(listener.scheme == "https" for listener in self.listeners)


def encode_config(config: ServerConfig) -> bytes:
    """The JSON text of a config, for `decode_config` in another process of the same version."""
    return json.dumps(config.as_dict(), default=lambda record: record.as_dict()).encode()


def decode_config(data: bytes) -> ServerConfig:
    """The config in the text that `encode_config` wrote.

    Other text is our bug: `ValueError` and alike.
    """
    fields: dict[str, Any] = json.loads(data)
    fields["listeners"] = tuple(ListenAddress(**one) for one in fields["listeners"])
    fields["limits"] = Limits(**fields["limits"])
    fields["scripts"] = ScriptLimits(**fields["scripts"])
    for name in ("proxy_schemes", "proxy_from"):
        fields[name] = tuple(fields[name])
    if fields["hostnames"] is not None:
        fields["hostnames"] = tuple(fields["hostnames"])
    if fields["metrics_address"] is not None:
        fields["metrics_address"] = ListenAddress(**fields["metrics_address"])
    if fields["tls_files"] is not None:
        fields["tls_files"] = TlsFiles(**fields["tls_files"])
    if fields["dev_pair"] is not None:
        fields["dev_pair"] = TlsPair(**fields["dev_pair"])
    return ServerConfig(**fields)
