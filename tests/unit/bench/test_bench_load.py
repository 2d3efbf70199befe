"""The clients' reports, as they print them."""

from __future__ import annotations

import json

import pytest

from bench.load import parse, parse_h2load, parse_handshakes
from bench.process import Finished

GOOD = """\
Running 2s test @ https://localhost:4433/small.html
  1 threads and 100 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.10ms    1.20ms  40.00ms   90.00%
    Req/Sec    36.67k     1.00k   38.00k    80.00%
  Latency Distribution
     50%    2.90ms
     75%    3.20ms
     90%    3.70ms
     99%  812.00us
  73360 requests in 2.00s, 27.84MB read
Requests/sec:  36648.51
Transfer/sec:     13.91MB
"""


def test_reads_counts_rate_and_tail() -> None:
    read = parse(GOOD)
    assert (read.requests, read.requests_per_s, read.faults) == (73360, 36648.51, 0)
    assert read.p99_ms == pytest.approx(0.812)


def test_counts_every_kind_of_bad_answer() -> None:
    said = GOOD.replace(
        "Requests/sec:",
        "  Socket errors: connect 1, read 2, write 3, timeout 4\n"
        "  Non-2xx or 3xx responses: 5\nRequests/sec:",
    )
    assert parse(said).faults == 15


@pytest.mark.parametrize(
    "said", ["unable to connect to localhost:1", GOOD.replace("73360 requests", "0 requests")]
)
def test_no_answers_is_an_error(said: str) -> None:
    with pytest.raises(RuntimeError, match="no answers"):
        parse(said)


H2LOAD = """\
finished in 1.00s, 31159.00 req/s, 8.12MB/s
requests: 31159 total, 32183 started, 31159 done, 31155 succeeded, 4 failed, 0 errored, 0 timeout
"""


def test_h2load_is_read_with_its_log() -> None:
    log = "".join(f"{at}\t200\t{at * 10}\n" for at in range(1, 201))
    read = parse_h2load(H2LOAD, log, 2)
    assert (read.requests, read.requests_per_s, read.faults) == (31155, 15577.5, 4)
    assert read.p99_ms == pytest.approx(1.99)


@pytest.mark.parametrize(("said", "log"), [("", "1\t200\t9\n"), (H2LOAD, "")])
def test_h2load_without_answers_is_an_error(said: str, log: str) -> None:
    with pytest.raises(RuntimeError, match="h2load had no answers"):
        parse_h2load(said, log, 2)


def test_handshakes_are_read() -> None:
    told = json.dumps({"times_us": [3000, 1000, 2000], "faults": 1, "error": "reset"})
    read = parse_handshakes(Finished(0, told, told), 2)
    assert (read.requests, read.requests_per_s, read.p99_ms, read.faults) == (3, 1.5, 3.0, 1)


def test_handshakes_without_answers_are_an_error() -> None:
    told = json.dumps({"times_us": [], "faults": 1, "error": "refused"})
    with pytest.raises(RuntimeError, match="refused"):
        parse_handshakes(Finished(0, told, told), 2)
    with pytest.raises(RuntimeError, match="failed: no such"):
        parse_handshakes(Finished(1, "no such module", ""), 2)
