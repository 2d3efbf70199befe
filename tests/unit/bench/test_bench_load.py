"""wrk's report, as it prints it."""

from __future__ import annotations

import pytest

from bench.load import parse

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
