"""Metrics: the engine's statistics as Prometheus text (exposition format 0.0.4). Pure.

The names are stable; a statistic that this table does not list is not exported.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
    ("bytes_sent", "zeroserve_sent_bytes_total", "counter", "Bytes sent to clients."),
    ("timeouts", "zeroserve_timeouts_total", "counter", "Connections closed by a time limit."),
    ("cache_bytes", "zeroserve_cache_bytes", "gauge", "Bytes of bodies kept in memory."),
    (
        "log_lines_dropped",
        "zeroserve_log_lines_dropped_total",
        "counter",
        "Access log lines lost because the log was too slow.",
    ),
    ("threads", "zeroserve_event_loops", "gauge", "Event loops."),
)
_RESPONSE_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


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
    _add_responses(lines, stats)
    _add_http2_ended(lines, stats)
    return "\n".join(lines) + "\n"


def _add(lines: list[str], name: str, kind: str, help_text: str, value: object) -> None:
    lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {value}"]


def _add_responses(lines: list[str], stats: "Mapping[str, object]") -> None:
    name = "zeroserve_responses_total"
    samples = [
        f'{name}{{class="{one}"}} {stats[key]}'
        for one in _RESPONSE_CLASSES
        if (key := f"responses_{one}") in stats
    ]
    if samples:
        lines += [f"# HELP {name} Responses by class of status.", f"# TYPE {name} counter"]
        lines += samples


def _add_http2_ended(lines: list[str], stats: "Mapping[str, object]") -> None:
    ended = stats.get("http2_ended")
    if isinstance(ended, dict):
        name = "zeroserve_http2_ended_total"
        help_text = "HTTP/2 connections ended for what their client did."
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} counter"]
        lines += [f'{name}{{reason="{reason}"}} {count}' for reason, count in ended.items()]
