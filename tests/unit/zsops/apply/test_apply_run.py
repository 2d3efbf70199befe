"""Every ending of a run, on a host in memory that runs the real protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.crash_rig import Operator
from support.memory_fleet import CONFIG, MemoryFleet, ended

from zsops import daemons
from zsops.apply.probe import ProbeFailed
from zsops.apply.run import Run
from zsops.apply.target import Target
from zsops.errors import ExitCode, NoSuchRelease, NotInstalled, StalePlan
from zsops.frozen import replace
from zsops.host import messages as m
from zsops.report.events import NoteEvent, ProgressEvent, StepEvent


@pytest.fixture
def shop(tmp_path: Path) -> MemoryFleet:
    return MemoryFleet.make(tmp_path)


def _current(shop: MemoryFleet) -> m.Observation:
    return shop.fleet().status()[0].observation


def _steps(events: tuple[object, ...]) -> Iterator[str]:
    for each in events:
        if isinstance(each, StepEvent) and each.ok:
            yield each.step


def test_first_deploy_installs_and_confirms(shop: MemoryFleet) -> None:
    run = shop.deploy()
    assert run.exit == ExitCode.OK
    assert run.host.outcome == "committed"
    assert run.host.url == "https://127.0.0.1:8443/"
    seen = _current(shop)
    assert seen.current is not None
    assert seen.current.release == seen.last_good == run.host.release
    order = list(_steps(run.events))
    wanted = ["install", "lease", "stage", "arm", "switch", "reload", "health", "probe", "confirm"]
    assert [each for each in order if each in wanted] == wanted


def test_second_deploy_of_the_same_bytes_does_nothing(shop: MemoryFleet) -> None:
    shop.deploy()
    before = _current(shop)
    again = shop.deploy()
    assert again.exit == ExitCode.OK
    assert again.host.outcome == "unchanged"
    assert again.host.sent == 0
    assert _current(shop) == before


def test_changed_site_is_uploaded_and_served(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    run = shop.deploy()
    assert run.host.outcome == "committed"
    assert b"<title>two" in shop.page()
    assert run.summary.sent == run.host.sent > 0
    assert any(isinstance(each, ProgressEvent) for each in run.events)


def test_unhealthy_release_is_reverted(shop: MemoryFleet) -> None:
    first = shop.deploy()
    shop.write(**{"index.html": "<title>bad</title>"})
    fleet = shop.fleet()
    plan = fleet.plan()
    shop.host.daemon.serves_badly.add(plan.instances[0].new_release_digest)
    run = ended(fleet.deploy(plan))
    assert run.exit == ExitCode.REVERTED
    assert run.host.outcome == "reverted"
    assert run.host.error is not None
    assert b"<title>one" in shop.page()
    assert _current(shop).last_good == first.host.release


def test_release_that_failed_is_not_tried_again_unasked(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>bad</title>"})
    digest = shop.fleet().plan().instances[0].new_release_digest
    shop.host.daemon.serves_badly.add(digest)
    shop.deploy()
    shop.host.daemon.serves_badly.clear()
    refused = shop.deploy()
    assert refused.host.error is not None
    assert refused.host.error.code == "quarantined"
    retried = ended(shop.fleet().deploy(retry_failed=True))
    assert retried.host.outcome == "committed"


def test_failed_external_probe_reverts(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})

    def fail(target: Target) -> None:
        raise ProbeFailed("`https://127.0.0.1:8443/` answers 500, expected 200")

    shop.probe = fail
    run = shop.deploy()
    assert run.exit == ExitCode.REVERTED
    assert run.host.error is not None
    assert run.host.error.code == "probe-failed"
    assert b"<title>one" in shop.page()


def test_a_failed_look_brings_the_old_daemon_back_also_where_none_ran(shop: MemoryFleet) -> None:
    shop.deploy()
    service = shop.host.service()
    operator = Operator(service, shop.host.world, 1)
    for version in ("3.0.0", "2.0.0"):
        operator.upgrade(version)
    service.stop_daemon("web")

    def fail(target: Target) -> None:
        raise ProbeFailed("`https://127.0.0.1:8443/` is not reached")

    shop.probe = fail
    run = ended(daemons.upgrade(shop.fleet(), version="3.0.0"))
    assert run.host.outcome == "reverted"
    assert service.daemon_status("web").version == "2.0.0"


def test_an_upgrade_whose_link_breaks_during_the_drain_is_done(shop: MemoryFleet) -> None:
    shop.deploy()
    service = shop.host.service()
    operator = Operator(service, shop.host.world, 1)
    for version in ("3.0.0", "2.0.0"):
        operator.upgrade(version)

    def unplug(target: Target) -> None:
        shop.host.reachable = False

    shop.probe = unplug
    run = ended(daemons.upgrade(shop.fleet(), version="3.0.0"))
    assert service.daemon_status("web").version == "3.0.0"
    assert (run.host.outcome, run.exit) == ("committed", ExitCode.OK)


def test_what_the_file_has_no_words_for_stays_as_the_host_has_it(shop: MemoryFleet) -> None:
    shop.deploy()
    service = shop.host.service()
    before = service.observe("web").settings
    assert before is not None
    service.install(m.Install("web", replace(before, flags=("--require-signature",))))
    assert not any(each.settings_changed for each in shop.fleet().plan().instances)
    file = shop.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("8443", "8444"))
    assert shop.deploy().exit == 0
    after = service.observe("web").settings
    assert after is not None
    assert (after.flags, after.tls_addresses) == (("--require-signature",), ("127.0.0.1:8444",))


def test_late_confirmation_is_a_self_revert(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    shop.probe = lambda target: shop.host.advance(3600.0)
    run = shop.deploy()
    assert run.exit == ExitCode.SELF_REVERTED
    assert run.host.outcome == "self_reverted"
    assert b"<title>one" in shop.page()


def test_unreachable_host_is_exit_7(shop: MemoryFleet) -> None:
    fleet = shop.fleet()
    plan = fleet.plan()
    shop.host.reachable = False
    run = ended(fleet.deploy(plan))
    assert run.exit == ExitCode.UNREACHABLE
    assert run.summary.unreachable == 1


def test_link_lost_for_good_after_the_switch_is_a_self_revert(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})

    def cut(target: Target) -> None:
        shop.host.reachable = False

    shop.probe = cut
    run = shop.deploy()
    assert run.exit == ExitCode.SELF_REVERTED
    shop.host.reachable = True
    shop.host.advance(3600.0)
    assert b"<title>one" in shop.page()


def test_broken_upload_is_resumed(shop: MemoryFleet) -> None:
    shop.write(**{"big.txt": "x" * 3_000_000})
    shop.host.cut_upload_after = 1_500_000
    run = shop.deploy()
    assert run.exit == ExitCode.OK
    assert any(isinstance(e, NoteEvent) and e.level == "warning" for e in run.events)
    offsets = [each.sent for each in run.events if isinstance(each, ProgressEvent)]
    assert offsets[-1] > 3_000_000


def test_held_host_is_exit_4_and_untouched(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    other = m.TakeLease(who="ana@desk", why="load test", ttl_s=600.0, run="OTHER")
    shop.host.service().take_lease(other)
    before = _current(shop).state_digest
    run = shop.deploy()
    assert run.exit == ExitCode.LOCKED
    assert run.host.error is not None
    assert "ana@desk" in run.host.error.message
    assert _current(shop).state_digest == before


def test_lease_is_given_back_after_every_ending(shop: MemoryFleet) -> None:
    shop.deploy()
    assert _current(shop).lease is None
    shop.write(**{"index.html": "<title>bad</title>"})
    shop.host.daemon.serves_badly.add(shop.fleet().plan().instances[0].new_release_digest)
    shop.deploy()
    assert _current(shop).lease is None


def test_stopped_daemon_is_started_without_a_new_release(shop: MemoryFleet) -> None:
    first = shop.deploy()
    shop.host.service().stop_daemon("web")
    assert shop.fleet().status()[0].state == "stopped"
    run = shop.deploy()
    assert run.exit == ExitCode.OK
    assert "start" in list(_steps(run.events))
    seen = _current(shop)
    assert seen.daemon.running
    assert seen.current is not None
    assert seen.current.release == first.host.release


def test_rollback_goes_forward_to_the_older_site(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    second = shop.deploy()
    run = shop.rollback()
    assert run.exit == ExitCode.OK
    assert b"<title>one" in shop.page()
    assert run.host.release is not None
    assert second.host.release is not None
    assert run.host.release > second.host.release


def test_rollback_with_nothing_to_go_back_to_is_refused(shop: MemoryFleet) -> None:
    with pytest.raises(NotInstalled):
        shop.rollback()
    shop.deploy()
    with pytest.raises(NoSuchRelease):
        shop.rollback()
    with pytest.raises(NoSuchRelease, match="000099-abcd"):
        shop.rollback("000099-abcd")


def test_saved_plan_is_refused_when_the_host_changed(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    plan = shop.fleet().plan()
    shop.deploy()
    with pytest.raises(StalePlan, match="changed since"):
        shop.fleet().deploy(plan)


def test_saved_plan_is_refused_when_the_site_changed(shop: MemoryFleet) -> None:
    shop.deploy()
    plan = shop.fleet().plan()
    shop.write(**{"index.html": "<title>two</title>"})
    with pytest.raises(StalePlan, match="other bytes"):
        shop.fleet().deploy(plan)


def test_host_that_moves_between_plan_and_lease_is_a_stale_plan(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    fleet = shop.fleet()
    plan = fleet.plan()
    shop.deploy()
    run = ended(fleet.deploy(plan))
    assert run.exit == ExitCode.STALE_PLAN


def test_failed_instance_leaves_the_next_untouched_and_the_run_partial(tmp_path: Path) -> None:
    line = '      web: {listen: {https: "127.0.0.1:8443"}, site: hello}\n'
    three = line + "".join(
        line.replace("web", name).replace("8443", port)
        for name, port in (("two", "8444"), ("three", "8445"))
    )
    shop = MemoryFleet.make(tmp_path, CONFIG.replace(line, three))
    count = iter(range(10))

    def second_fails(target: Target) -> None:
        if next(count) == 1:
            raise ProbeFailed("no answer")

    shop.probe = second_fails
    run = ended(shop.fleet().deploy())
    assert run.exit == ExitCode.PARTIAL
    assert (run.summary.committed, run.summary.reverted, run.summary.not_started) == (1, 1, 1)


@pytest.mark.parametrize("step", ["install", "lease", "stage", "arm", "health", "probe"])
def test_abort_at_any_step_keeps_or_brings_back_the_old_version(
    shop: MemoryFleet, step: str
) -> None:
    first = shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    if step == "install":  # only settings that change are written again
        file = shop.directory / "zsops.yaml"
        file.write_text(file.read_text().replace("8443", "8444"))
    run: Run = shop.fleet().deploy()
    for event in run:
        if isinstance(event, StepEvent) and event.step == step:
            run.abort()
    # The thread runs on while we read, so a late step may have been confirmed already.
    assert run.exit_code in (ExitCode.INTERRUPTED, ExitCode.OK)
    seen = _current(shop)
    assert not seen.phase.in_flight
    if run.exit_code is ExitCode.INTERRUPTED:
        assert seen.last_good == first.host.release
        assert b"<title>one" in shop.page()
    else:
        assert b"<title>two" in shop.page()


def test_abort_before_the_confirmation_reverts(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})
    run = shop.fleet().deploy()
    shop.probe = lambda target: run.abort()
    finished = ended(run)
    assert finished.exit == ExitCode.INTERRUPTED
    assert finished.host.outcome == "interrupted"
    assert b"<title>one" in shop.page()


def test_unconfirmed_leftover_is_undone_first(shop: MemoryFleet) -> None:
    shop.deploy()
    shop.write(**{"index.html": "<title>two</title>"})

    def die(target: Target) -> None:
        raise RuntimeError("the operator's machine loses power")

    shop.probe = die
    with pytest.raises(RuntimeError):
        shop.deploy()
    assert _current(shop).phase.in_flight
    shop.host.service().break_lease("ana", "its owner is gone")
    shop.probe = lambda target: None
    run = shop.deploy()
    assert run.exit == ExitCode.OK
    assert b"<title>two" in shop.page()


def test_settings_that_do_not_work_are_taken_back(shop: MemoryFleet) -> None:
    first = shop.deploy()
    file = shop.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("8443", "8444"))
    shop.write(**{"index.html": "<title>bad</title>"})
    shop.host.daemon.serves_badly.add(shop.fleet().plan().instances[0].new_release_digest)
    run = shop.deploy()
    assert run.exit == ExitCode.REVERTED
    seen = _current(shop)
    assert seen.settings is not None
    assert seen.settings.tls_addresses == ("127.0.0.1:8443",)
    assert seen.daemon.running
    assert seen.last_good == first.host.release
    assert b"<title>one" in shop.page()


def test_changed_settings_restart_the_daemon(shop: MemoryFleet) -> None:
    shop.deploy()
    file = shop.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("8443", "8444"))
    plan = shop.fleet().plan().instances[0]
    assert (plan.daemon, plan.switches) == ("restart", False)
    run = shop.deploy()
    assert run.exit == ExitCode.OK
    assert run.host.url == "https://127.0.0.1:8444/"
    assert shop.fleet().plan().is_no_op
