"""How far a rollback goes: any history, against a stack of what one would undo."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.crash_rig import Operator
from support.deployment import SETTINGS
from support.material import make_pair, sealed_to
from support.sites import site

from zsops.errors import NoSuchRelease
from zsops.host import messages as m
from zsops.plan.rollback import rollback_target
from zsops.transport.memory import MemoryHost

SITES = tuple(site(f"page {number}") for number in range(3))
PAIRS = (make_pair("localhost"), make_pair("localhost"))
QUICK = m.HealthPolicy(successes=1, interval_s=0.01, timeout_s=1.0)

#: A deployment, by numbers of site and certificate; another certificate alone; a rollback.
_Act = tuple[int, int] | int | None
_NUMBERS = st.integers(0, 1)
ACTS = st.lists(
    st.one_of(st.tuples(st.integers(0, 2), _NUMBERS), _NUMBERS, st.none()), min_size=1, max_size=9
)


class History:
    """An instance in memory, and what its sites would be on a stack."""

    def __init__(self) -> None:
        self.host = MemoryHost()
        self.operator = Operator(self.host.service(), self.host.world, 1)
        self.operator.service.install(m.Install("web", SETTINGS))
        self.stack: list[str] = []  # site digests; the last is in service

    @property
    def seen(self) -> m.Observation:
        return self.operator.service.observe("web")

    def do(self, act: _Act) -> None:
        if act is None:
            self.roll_back()
        elif isinstance(act, int):
            if self.stack:
                self.operator.rotate(self._material(act))
        else:
            number, pair = act
            what = SITES[number]
            assert self.operator.deploy(what, self._material(pair)) is m.Outcome.HEALTHY
            self.stack.append(what.site_digest)

    def roll_back(self, to: str | None = None) -> str:
        """The site that is in service then, which must be the next on the stack."""
        token = self.operator.take()
        try:
            staged = self.operator.service.prepare_rollback(m.PrepareRollback(token, "web", to))
        except NoSuchRelease:
            self.operator.service.release_lease(token)
            assert set(self.stack[:-1]) <= set(self.stack[-1:])
            raise
        assert self.operator.put(token, staged.release.release, QUICK) is m.Outcome.HEALTHY
        if to is None:
            left = self.stack[-1]
            while self.stack[-1] == left:
                self.stack.pop()
            assert staged.source.site_digest == self.stack[-1]
        return staged.source.site_digest

    def steps(self) -> list[str]:
        """Sites that one, two, … steps back lead to: as the host says, and the operator's side."""
        found: list[str] = []
        token = self.operator.take()
        while True:
            request = m.PrepareRollback(token, "web", steps=len(found) + 1)
            try:
                source = self.operator.service.prepare_rollback(request).source
            except NoSuchRelease:
                break
            assert rollback_target(self.seen, None, len(found) + 1).release == source.release
            found.append(source.site_digest)
        with pytest.raises(NoSuchRelease):
            rollback_target(self.seen, None, len(found) + 1)
        self.operator.service.release_lease(token)
        return found

    def _material(self, number: int) -> m.Material:
        return sealed_to(self.operator.service.recipients(), PAIRS[number])


def _after(*acts: _Act) -> History:
    history = History()
    for act in acts:
        history.do(act)
    return history


ONE, TWO, THREE = (0, 0), (1, 0), (2, 0)
TWO_RENEWED = (1, 1)


@pytest.mark.parametrize("renewed", [TWO_RENEWED, 1], ids=["deployed", "rotated"])
def test_a_site_that_was_left_is_not_returned_to_with_its_older_certificate(renewed: _Act) -> None:
    history = _after(ONE, TWO, renewed)
    assert history.roll_back() == SITES[0].site_digest
    with pytest.raises(NoSuchRelease, match="has 0 earlier"):
        history.roll_back()


def test_what_several_steps_went_past_is_not_returned_to() -> None:
    history = _after(ONE, TWO, THREE)
    history.roll_back(history.seen.releases[1].release)
    with pytest.raises(NoSuchRelease):
        rollback_target(history.seen, None)
    # Nor after the same site came again with another certificate.
    history.do((0, 1))
    with pytest.raises(NoSuchRelease):
        rollback_target(history.seen, None)


def test_whoever_goes_forward_again_has_the_history_back() -> None:
    history = _after(ONE, TWO, THREE)
    first, _, third = (each.release for each in history.seen.releases[1:])
    history.roll_back(first)
    history.roll_back(third)
    assert rollback_target(history.seen, None).site_digest == SITES[1].site_digest


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(ACTS)
def test_rollbacks_go_back_as_on_a_stack(acts: list[_Act]) -> None:
    history = History()
    for act in acts:
        try:
            history.do(act)
        except NoSuchRelease:
            assert act is None
    if not history.stack:
        return
    wanted = history.steps()
    assert [history.roll_back() for _ in wanted] == wanted
    with pytest.raises(NoSuchRelease):
        history.roll_back()
