"""The table of `zeroserve status`."""

import datetime

from zeroserve.cli.status import table

NOW = datetime.datetime(2026, 5, 4, 12, 0, 0, tzinfo=datetime.UTC)
STATUS: dict[str, object] = {
    "version": "0.1.0",
    "pid": 7,
    "generation": 3,
    "release": "000042-3fa9",
    "release_digest": "sha256:aa",
    "site_digest": "sha256:bb",
    "started_at": "2026-05-02T10:59:00Z",
    "listeners": [
        {"scheme": "http", "address": "127.0.0.1:80"},
        {"scheme": "https", "address": "127.0.0.1:443"},
    ],
    "last_reload": {"id": 2, "ok": False, "error": "no", "at": "2026-05-03T00:00:00Z"},
    "stats": {
        "connections_open": 1,
        "connections": 9,
        "connections_refused": 4,
        "requests": 20,
        "responses_1xx": 0,
        "responses_2xx": 15,
        "responses_3xx": 2,
        "responses_4xx": 3,
        "responses_5xx": 0,
        "requests_http1": 15,
        "requests_http2": 5,
        "threads": 2,
        "threads_running": 1,
        "bytes_sent": 123456,
        "cache_bytes": 4096,
        "cache_hits": 19,
        "cache_misses": 1,
        "log_lines_dropped": 3,
        "latency": {
            "bounds_seconds": [0.00005, 0.001, 10.0],
            "counts": [12, 7, 1, 0],
            "sum_seconds": 0.041,
        },
    },
}


def test_everything_has_its_row() -> None:
    assert list(table(STATUS, NOW)) == [
        ("zeroserve", "0.1.0, pid 7"),
        ("up", "2 d 1 h, since 2026-05-02T10:59:00Z"),
        ("listening", "http://127.0.0.1:80"),
        ("", "https://127.0.0.1:443"),
        ("loops", "1 of 2 running"),
        ("generation", "3"),
        ("release", "000042-3fa9"),
        ("digest", "sha256:aa"),
        ("site", "sha256:bb"),
        ("connections", "1 open, 9 in all, 4 turned away"),
        ("requests", "20 answered, 15 2xx, 2 3xx, 3 4xx, 0 5xx, 15 HTTP/1, 5 HTTP/2"),
        ("took", "half within 0.05 ms, 99 % within 10000 ms, 2.05 ms on average"),
        ("sent", "123456 bytes of bodies"),
        ("cache", "4096 bytes of small files, 95 % found there"),
        ("log", "3 lines lost: the log was too slow, or could not be written"),
        ("last reload", "2 at 2026-05-03T00:00:00Z, refused: no"),
    ]


def test_what_is_not_said_is_a_dash() -> None:
    rows = dict(table({}, NOW))
    assert rows["up"] == rows["release"] == rows["generation"] == "-"
    assert rows["requests"] == "- answered"
    assert rows["last reload"] == "none"
    assert rows["took"] == "-"


def test_what_takes_longer_than_every_bound_is_said() -> None:
    latency = {"bounds_seconds": [0.001], "counts": [1, 1], "sum_seconds": 4.0}
    assert dict(table({"stats": {"latency": latency}}, NOW))["took"] == (
        "half within 1 ms, 99 % over 1 ms, 2000 ms on average"
    )
    latency["counts"] = [0, 0]
    assert dict(table({"stats": {"latency": latency}}, NOW))["took"] == "nothing yet"


def test_a_short_life_and_a_clock_that_went_back() -> None:
    for started, shown in (
        ("2026-05-04T11:59:58Z", "2 s"),
        ("2026-05-04T11:57:00Z", "3 min 0 s"),
        ("2026-05-04T13:00:00Z", "0 s"),
    ):
        assert dict(table({"started_at": started}, NOW))["up"] == f"{shown}, since {started}"
