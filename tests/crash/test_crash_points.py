"""Every crash point of every path: stop after each effect, recover, and all must be well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.crash_rig import PATHS, Operator, Scenario, explore
from support.deployment import SETTINGS
from support.material import make_pair, sealed_to
from support.sites import bundled, site

from zeroserve.tls.ech import generate
from zsops.host import messages as m
from zsops.host import service
from zsops.host.effects import Effect, Fsync, Rename, Steps, WriteJournal, drive
from zsops.host.world import World
from zsops.transport.memory import MemoryHost

PAIRS = (make_pair("localhost"), make_pair("localhost"))
_FIRST_KEY = generate("cover.example")
ECH_KEYS = (_FIRST_KEY, generate("cover.example", [_FIRST_KEY.config_id]))
ONE, TWO, BAD = site("one"), site("two"), site("bad")
BUNDLE_ONE, BUNDLE_TWO = bundled(blog=ONE, docs=ONE), bundled(blog=TWO, docs=TWO)


def _install(operator: Operator) -> None:
    operator.service.install(m.Install("web", SETTINGS))


def _with_one(operator: Operator) -> None:
    _install(operator)
    assert operator.deploy(ONE) is m.Outcome.HEALTHY


def _with_two(operator: Operator) -> None:
    _with_one(operator)
    operator.deploy(TWO)


def _material(operator: Operator, number: int) -> m.Material:
    """Encrypted to the host, with one ECH key and one certificate more each time."""
    further = {"blog": make_pair("blog.example")} if number else None
    keys = [key.bundle() for key in ECH_KEYS[: number + 1]]
    return sealed_to(operator.service.recipients(), PAIRS[number], *keys, further=further)


def _with_material(operator: Operator) -> None:
    _install(operator)
    assert operator.deploy(ONE, _material(operator, 0)) is m.Outcome.HEALTHY


def _with_two_and_material(operator: Operator) -> None:
    _with_material(operator)
    assert operator.deploy(TWO, _material(operator, 1)) is m.Outcome.HEALTHY


def _with_two_bundles(operator: Operator) -> None:
    _install(operator)
    for what in (BUNDLE_ONE, BUNDLE_TWO):
        assert operator.deploy(what) is m.Outcome.HEALTHY


def _one_site_back(operator: Operator) -> None:
    token = operator.take()
    older = operator.service.observe("web").releases[1].release
    request = m.PrepareRollback(token, "web", to=older, site="docs")
    staged = operator.service.prepare_rollback(request)
    operator.put(token, staged.release.release, m.HealthPolicy(successes=1, timeout_s=1.0))


def _one_site_deployed(operator: Operator) -> None:
    token = operator.take()
    release = operator.stage(token, TWO, only_site="docs")
    assert operator.stage(token, TWO, only_site="docs") == release
    operator.put(token, release, m.HealthPolicy(successes=1, timeout_s=1.0))


def _with_a_bundle(operator: Operator) -> None:
    _install(operator)
    assert operator.deploy(BUNDLE_ONE) is m.Outcome.HEALTHY


def _unconfirmed_then_late(operator: Operator) -> None:
    """Healthy, but nobody confirms; the revert timer fires."""
    token = operator.take()
    release = operator.stage(token, TWO)
    operator.service.apply(m.Apply(token, "web", release, TWO.health(), confirm_window_s=5.0))
    operator.world.clock.seconds += 6.0
    operator.service.expire("web")


def _aborted(operator: Operator) -> None:
    token = operator.take()
    release = operator.stage(token, TWO)
    operator.service.apply(m.Apply(token, "web", release, TWO.health()))
    operator.service.revert(m.Revert(token, "web", "changed my mind"))


def _pruned(operator: Operator) -> None:
    token = operator.take()
    operator.service.prune(m.Prune(token, "web", keep=1))
    operator.service.release_lease(token)


def _upgraded(operator: Operator) -> None:
    _with_one(operator)
    assert operator.upgrade("2.0.0") is m.Outcome.COMMITTED


def _upgraded_often(operator: Operator) -> None:
    _with_one(operator)
    for number in range(1, 5):
        assert operator.upgrade(f"{number}.0.0") is m.Outcome.COMMITTED


def _bad(version: str, how: str) -> tuple[tuple[str, str], ...]:
    return ((version, how),)


SCENARIOS = [
    Scenario("install", lambda _: None, _install),
    Scenario("first deploy", _install, lambda o: o.deploy(ONE)),
    Scenario("deploy", _with_one, lambda o: o.deploy(TWO)),
    Scenario("rollback", _with_two, lambda o: o.rollback()),
    Scenario("failed deploy", _with_one, lambda o: o.deploy(BAD), breaks=(BAD.release_digest,)),
    Scenario("deadline", _with_one, _unconfirmed_then_late),
    Scenario("abort", _with_one, _aborted),
    Scenario("prune", _with_two, _pruned),
    Scenario("deploy with material", _with_material, lambda o: o.deploy(TWO, _material(o, 1))),
    Scenario("rotate", _with_material, lambda o: o.rotate(_material(o, 1))),
    Scenario("rollback of one site", _with_two_bundles, _one_site_back),
    Scenario("deploy of one site", _with_a_bundle, _one_site_deployed),
    Scenario("rollback with material", _with_two_and_material, lambda o: o.rollback()),
    Scenario("upgrade", _with_one, lambda o: o.upgrade("2.0.0")),
    Scenario("upgrade of an upgraded one", _upgraded, lambda o: o.upgrade("3.0.0")),
    Scenario("upgrade that drops an old one", _upgraded_often, lambda o: o.upgrade("5.0.0")),
    Scenario("upgrade to its own version", _upgraded, lambda o: o.upgrade_to_own()),
    *(
        Scenario(
            f"upgrade that fails at its {how}",
            _upgraded,
            lambda o: o.upgrade("3.0.0"),
            bad_versions=_bad("3.0.0", how),
        )
        for how in ("start", "door", "swap", "public")
    ),
]


@pytest.mark.parametrize("how", ["start", "door", "swap", "public"])
def test_a_version_that_fails_leaves_the_one_before(how: str) -> None:
    host = MemoryHost()
    host.daemon.bad_versions["3.0.0"] = how
    operator = Operator(host.service(), host.world, 1)
    _upgraded(operator)
    assert operator.upgrade("3.0.0") is m.Outcome.REVERTED
    seen = operator.service.daemon_status("web")
    assert seen.version == "2.0.0"
    last = operator.service.history("web", 1)[-1]
    assert last.event == "daemon-upgrade-failed"
    host.reboot()
    assert operator.service.daemon_status("web").version == "2.0.0"
    host.daemon.bad_versions.clear()
    assert operator.upgrade("3.0.0") is m.Outcome.COMMITTED
    assert operator.service.daemon_status("web").version == "3.0.0"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name.replace(" ", "-"))
def test_every_crash_point_leaves_a_whole_release(
    scenario: Scenario, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    report = explore(scenario, tmp_path, seeds=0 if scenario.bad_versions else 2)
    print(report)
    record_property("crash points", report.points)  # added up by `conftest.py`
    assert report.effects > 5
    assert report.violations == []


# -- mutants: the exploration must be able to fail -----------------------------------


def _reordered(steps: Steps[object], held_back: Callable[[Effect[object]], bool]) -> Steps[object]:
    """The same steps with some effects done only after `current` was switched, durably."""
    held: list[Effect[object]] = []
    waiting, switched = True, False
    effect = next(steps)
    while True:
        try:
            if waiting and held_back(effect):
                held.append(effect)
                answer: object = None
            else:
                answer = yield effect
        except OSError as error:
            effect = steps.throw(error)
            continue
        switched = switched or (isinstance(effect, Rename) and effect.path == PATHS.current)
        if switched and isinstance(effect, Fsync) and effect.path == PATHS.home:
            for late in held:
                yield late
            held, waiting, switched = [], False, False
        try:
            effect = steps.send(answer)
        except StopIteration as end:
            for late in held:
                yield late
            return end.value


def _is_journal_sync(effect: Effect[object]) -> bool:
    return isinstance(effect, Fsync) and effect.path == PATHS.journal


def _is_journal(effect: Effect[object]) -> bool:
    return isinstance(effect, WriteJournal) or _is_journal_sync(effect)


@pytest.mark.parametrize("held_back", [_is_journal_sync, _is_journal])
def test_a_switch_before_its_journal_is_caught(
    held_back: Callable[[Effect[object]], bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mutant switches before the journal entry is synced (or written at all)."""

    def mutant(
        steps: Steps[object], world: World, after: Callable[[Effect[object]], None] | None = None
    ) -> object:
        is_apply = steps.__name__ == "apply"  # type: ignore[attr-defined]
        return drive(_reordered(steps, held_back) if is_apply else steps, world, after)

    monkeypatch.setattr(service, "drive", mutant)
    scenario = Scenario("mutant", _with_one, lambda o: o.deploy(TWO))
    report = explore(scenario, tmp_path, seeds=0)
    print(report)
    assert any("I3" in one for one in report.violations), report.violations[:5]
