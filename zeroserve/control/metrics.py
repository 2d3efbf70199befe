"""Metrics: the engine's statistics as Prometheus text (exposition format 0.0.4). Pure.

The names are stable; a statistic that this table does not list is not exported.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STATISTICS = (
    ("connections_open", "zeroserve_connections_open", "gauge", "Connections that are open now."),
    ("connections", "zeroserve_connections_total", "counter", "Connections accepted."),
    (
        "connections_refused",
        "zeroserve_connections_refused_total",
        "counter",
        "Connections turned away by a limit.",
    ),
    ("accept_errors", "zeroserve_accept_errors_total", "counter", "Accepts that went wrong."),
    ("tls_handshakes", "zeroserve_tls_handshakes_total", "counter", "TLS handshakes completed."),
    ("tls_failures", "zeroserve_tls_failures_total", "counter", "TLS handshakes that ended early."),
    ("relayed", "zeroserve_relayed_total", "counter", "Connections passed on to others (ECH)."),
    ("requests", "zeroserve_requests_total", "counter", "Requests answered."),
    ("bytes_sent", "zeroserve_sent_bytes_total", "counter", "Bytes of bodies sent to clients."),
    ("timeouts", "zeroserve_timeouts_total", "counter", "Connections closed by a time limit."),
    ("cache_bytes", "zeroserve_cache_bytes", "gauge", "Bytes of bodies kept in memory."),
    ("cache_hits", "zeroserve_cache_hits_total", "counter", "Bodies found in memory."),
    (
        "cache_misses",
        "zeroserve_cache_misses_total",
        "counter",
        "Small bodies read from the tarball into memory.",
    ),
    (
        "log_lines_dropped",
        "zeroserve_log_lines_dropped_total",
        "counter",
        "Access log lines lost because the log was too slow, or could not be written.",
    ),
    ("threads", "zeroserve_event_loops", "gauge", "Event loops that were started."),
    ("threads_running", "zeroserve_event_loops_running", "gauge", "Event loops that run."),
)
_RESPONSE_CLASSES = {one: f"responses_{one}" for one in ("1xx", "2xx", "3xx", "4xx", "5xx")}
_PROTOCOLS = {"http/1": "requests_http1", "http/2": "requests_http2"}


def render_metrics(
    stats: "Mapping[str, object]",
    *,
    generation: int,
    reloads: int,
    reloads_failed: int,
    uptime_s: float,
) -> str:
    """The whole page. `stats` is the engine's; the rest is what only the control plane knows."""
    lines: list[str] = []
    _add(lines, "zeroserve_generation", "gauge", "Number of the generation served.", generation)
    _add(lines, "zeroserve_uptime_seconds", "gauge", "Seconds since the start.", round(uptime_s, 3))
    _add(lines, "zeroserve_reloads_total", "counter", "Reloads asked for and tried.", reloads)
    _add(
        lines,
        "zeroserve_reloads_failed_total",
        "counter",
        "Reloads that were refused.",
        reloads_failed,
    )
    for key, name, kind, help_text in _STATISTICS:
        value = stats.get(key)
        if isinstance(value, int | float):
            _add(lines, name, kind, help_text, value)
    _add_labelled(
        lines,
        "zeroserve_responses_total",
        "Responses by class of status.",
        {f'class="{one}"': stats.get(key) for one, key in _RESPONSE_CLASSES.items()},
    )
    _add_labelled(
        lines,
        "zeroserve_requests_by_protocol_total",
        "Requests answered, by what they came over.",
        {f'protocol="{one}"': stats.get(key) for one, key in _PROTOCOLS.items()},
    )
    latency = stats.get("latency")
    if isinstance(latency, dict):
        _add_latency(lines, latency)
    _add_labelled(
        lines,
        "zeroserve_http2_ended_total",
        "HTTP/2 connections ended for what their client did.",
        {f'reason="{reason}"': count for reason, count in _ended(stats).items()},
    )
    return "\n".join(lines) + "\n"


def _add(lines: list[str], name: str, kind: str, help_text: str, value: object) -> None:
    lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {value}"]


def _add_labelled(
    lines: list[str], name: str, help_text: str, values: "Mapping[str, object]"
) -> None:
    samples = [f"{name}{{{label}}} {value}" for label, value in values.items() if value is not None]
    if samples:
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} counter", *samples]


def _add_latency(lines: list[str], latency: "dict[str, Any]") -> None:
    # Prometheus counts in each bucket what is in the smaller ones, too.
    name = "zeroserve_request_duration_seconds"
    lines += [
        f"# HELP {name} From the arrival of a request to the departure of its answer.",
        f"# TYPE {name} histogram",
    ]
    below = 0
    bounds = [f"{bound:g}" for bound in latency["bounds_seconds"]]
    for bound, count in zip([*bounds, "+Inf"], latency["counts"], strict=True):
        below += count
        lines.append(f'{name}_bucket{{le="{bound}"}} {below}')
    lines += [f"{name}_sum {latency['sum_seconds']:.9f}", f"{name}_count {below}"]


def _ended(stats: "Mapping[str, object]") -> "dict[str, object]":
    ended = stats.get("http2_ended")
    return ended if isinstance(ended, dict) else {}
