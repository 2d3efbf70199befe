"""Which release a rollback goes to."""

from __future__ import annotations

import pytest

from zsops.errors import NoSuchRelease
from zsops.host import messages as m
from zsops.plan.rollback import rollback_target


def _release(
    number: int, site: str, *, confirmed: bool = True, left: bool = False
) -> m.ReleaseInfo:
    return m.ReleaseInfo(
        release=f"{number:06d}-{site}",
        number=number,
        release_digest=f"sha256:{site}",
        site_digest=f"sha256:{site}",
        size=1,
        secrets_digest="sha256:0",
        created="2026-11-24T06:00:00Z",
        confirmed=confirmed,
        rolled_back=left,
    )


def _seen(*releases: m.ReleaseInfo) -> m.Observation:
    return m.Observation("web", installed=True, current=releases[-1], releases=releases)


def test_newest_confirmed_release_with_another_site() -> None:
    seen = _seen(_release(1, "aaaa"), _release(2, "bbbb"), _release(3, "cccc"))
    assert rollback_target(seen, None).number == 2


def test_unconfirmed_left_and_equal_releases_are_stepped_over() -> None:
    seen = _seen(
        _release(0, "0000"),
        _release(1, "aaaa"),
        _release(2, "bbbb", left=True),
        _release(3, "cccc", confirmed=False),
        _release(4, "dddd"),
        _release(5, "dddd"),
    )
    assert rollback_target(seen, None).number == 1


def test_named_release_is_taken_as_it_is() -> None:
    seen = _seen(_release(1, "aaaa"), _release(2, "bbbb", left=True), _release(3, "cccc"))
    assert rollback_target(seen, "000002-bbbb").number == 2


@pytest.mark.parametrize("to", [None, "000009-ffff"])
def test_nothing_to_go_back_to(to: str | None) -> None:
    with pytest.raises(NoSuchRelease):
        rollback_target(_seen(_release(1, "aaaa")), to)
