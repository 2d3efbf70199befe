"""A claim holds only when its command shows it."""

from __future__ import annotations

import pytest

from bench.process import Finished
from bench.verify import Claim, judge, load_claims

NUMBER = Claim("id", "text", ("x",), key=("ratio", "small", "ours"), at_most=0.7)
PATTERN = Claim("id", "text", ("x",), matches=r"\b0 failed")


@pytest.mark.parametrize(
    ("claim", "done", "holds"),
    [
        (PATTERN, Finished(0, "900 requests, 0 failed", ""), True),
        (PATTERN, Finished(0, "900 requests, 10 failed", ""), False),
        (PATTERN, Finished(1, "900 requests, 0 failed", ""), False),
        (NUMBER, Finished(0, "", '{"ratio": {"small": {"ours": 0.7}}}'), True),
        (NUMBER, Finished(0, "", '{"ratio": {"small": {"ours": 0.71}}}'), False),
        (NUMBER, Finished(0, "", '{"ratio": {"small": {}}}'), False),
        (NUMBER, Finished(0, "", '{"ratio": {}}'), False),
        (Claim("id", "text", ("x",)), Finished(0, "", ""), True),
    ],
)
def test_judge(claim: Claim, done: Finished, holds: bool) -> None:
    assert judge(claim, done)[0] is holds


def test_every_claim_asks_for_something() -> None:
    claims = load_claims()
    assert len({each.id for each in claims}) == len(claims) > 0
    assert all(each.matches or each.at_most is not None for each in claims)
