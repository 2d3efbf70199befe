"""What any host promises its operator, whatever carries the requests."""

from __future__ import annotations

import io
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest
from support.contract_host import ContractHost
from support.deployment import apply, deploy, finish, lease, rollback, stage
from support.material import make_pair, sealed_to
from support.sites import Site, packed, site

from zsops import errors
from zsops.host import messages as m
from zsops.process import own_identity
from zsops.transport.base import HostSession

ONE, TWO, THREE = site("one"), site("two"), site("three")
PAIRS = (make_pair("localhost"), make_pair("localhost"))
BIG = site("big", padding=40_000)  # 1.3 MB: several chunks
UNMET = m.HealthPolicy(
    successes=1, interval_s=0.02, timeout_s=0.2, checks=(m.StatusCheck("/index.html", (418,)),)
)


def test_a_deployment_ends_in_service_and_last_good(host: ContractHost) -> None:
    done = deploy(host.transport, ONE)
    assert done.outcome is m.Outcome.HEALTHY
    with host.transport.connect() as session:
        seen = session.observe("web")
        told = [entry.event for entry in session.history("web", 50)]
        members = session.members("web", done.release)
    assert seen.current is not None
    assert seen.current.release == seen.last_good == done.release
    assert done.confirmed == m.Confirmed(done.release, ONE.release_digest)
    assert seen.daemon.release_digest == ONE.release_digest
    assert (seen.phase, seen.drift, seen.unsafe, seen.lease) == (m.Phase.IDLE, None, None, None)
    steps = ["staged", "armed", "switched", "reloaded", "healthy", "committed", "done"]
    assert [event for event in told if event in steps] == steps
    assert [member.path for member in members] == ["index.html"]


def test_the_daemon_is_started_by_the_first_deployment_and_it_is_said(host: ContractHost) -> None:
    first, second = deploy(host.transport, ONE), deploy(host.transport, TWO)
    assert m.Step.START in {event.step for event in first.events}
    assert m.Step.START not in {event.step for event in second.events}
    assert second.events[-1].deadline_s is not None
    assert second.events[-1].serving == second.release


def test_rollback_goes_forward_and_then_further_back(host: ContractHost) -> None:
    releases = [deploy(host.transport, what).release for what in (ONE, TWO, THREE)]
    first, second = rollback(host.transport), rollback(host.transport)
    assert [first.release[:6], second.release[:6]] == ["000004", "000005"]
    with host.transport.connect() as session:
        seen = session.observe("web")
        assert seen.current is not None
        assert seen.current.site_digest == ONE.site_digest
        left = {one.release for one in seen.releases if one.rolled_back}
        assert left >= {releases[2], first.release, releases[1]}
        token = lease(session).token
        with pytest.raises(errors.NoSuchRelease):
            session.prepare_rollback(m.PrepareRollback(token, "web"))
        session.release_lease(token)
    assert rollback(host.transport, to=releases[2]).outcome is m.Outcome.HEALTHY


def test_several_steps_back_are_as_many_rollbacks(host: ContractHost) -> None:
    for what in (ONE, TWO, ONE, THREE):
        deploy(host.transport, what)
    with host.transport.connect() as session:
        token = lease(session).token
        with pytest.raises(errors.NoSuchRelease, match="has 3 earlier confirmed releases"):
            session.prepare_rollback(m.PrepareRollback(token, "web", steps=4))
        for steps, number in ((1, 3), (2, 2), (3, 1)):
            made = session.prepare_rollback(m.PrepareRollback(token, "web", steps=steps))
            assert made.source.number == number
        session.release_lease(token)


def test_a_site_that_was_left_is_not_returned_to_with_its_older_certificate(
    host: ContractHost,
) -> None:
    for what, pair in ((ONE, PAIRS[0]), (TWO, PAIRS[0]), (TWO, PAIRS[1])):
        with host.transport.connect() as session:
            token = lease(session).token
            request = replace(what.stage(token), material=sealed_to(session.recipients(), pair))
            release = session.stage(request, io.BytesIO(what.tar)).release.release
            assert finish(host.transport, session, token, release, what.health()).confirmed
    assert rollback(host.transport).confirmed
    with host.transport.connect() as session:
        seen = session.observe("web")
        assert seen.current is not None
        assert (seen.current.site_digest, seen.current.place) == (ONE.site_digest, 1)
        with pytest.raises(errors.NoSuchRelease, match="has 0 earlier confirmed releases"):
            session.prepare_rollback(m.PrepareRollback(lease(session).token, "web"))


def test_an_unhealthy_release_is_reverted_and_quarantined(host: ContractHost) -> None:
    good = deploy(host.transport, ONE)
    with host.transport.connect() as session:
        token = lease(session).token
        release = stage(session, token, TWO).release.release
        events = apply(session, token, release, UNMET)
        assert events[-1].outcome is m.Outcome.REVERTED
        assert events[-1].serving == good.release
        failed = [event for event in events if event.progress is m.Progress.FAILED]
        assert failed[0].step is m.Step.HEALTH
        assert failed[0].evidence is not None
        (kept,) = session.evidence("web")
        assert (kept.release, kept.step, kept.status) == (release, "health", 200)
        assert [each.ok for each in kept.results] == [True, True, False]
        assert (kept.results[-1].expected, kept.results[-1].got) == ("418", "200")
        assert kept.problem in (failed[0].detail, failed[0].error.message)
        seen = session.observe("web")
        assert seen.daemon.release_digest == ONE.release_digest
        assert [held.release_digest for held in seen.quarantine] == [TWO.release_digest]
        with pytest.raises(errors.Quarantined):
            stage(session, token, TWO)
        again = replace(TWO.stage(token), retry_quarantined=True)
        retried = session.stage(again, io.BytesIO(TWO.tar)).release.release
        assert finish(host.transport, session, token, retried, TWO.health()).confirmed
        assert session.observe("web").quarantine == ()


def test_a_first_deployment_that_fails_goes_back_to_the_placeholder(host: ContractHost) -> None:
    with host.transport.connect() as session:
        token = lease(session).token
        release = stage(session, token, ONE).release.release
        events = apply(session, token, release, UNMET)
        assert events[-1].outcome is m.Outcome.REVERTED
        assert (events[-1].serving or "").startswith("000000-")


def test_without_confirmation_the_host_goes_back_by_itself(host: ContractHost) -> None:
    good = deploy(host.transport, ONE)
    with host.transport.connect() as session:
        token = lease(session).token
        release = stage(session, token, TWO).release.release
        events = apply(session, token, release, TWO.health(), window_s=0.5)
        assert events[-1].outcome is m.Outcome.HEALTHY
    host.wait_for_phase(m.Phase.IDLE)
    with host.transport.connect() as session:
        with pytest.raises(errors.SelfReverted):
            session.confirm(m.Confirm(token, "web", release))
        seen = session.observe("web")
        assert seen.last_good == good.release
        assert seen.daemon.release_digest == ONE.release_digest
        assert seen.quarantine == ()  # nothing was wrong with it


def test_abort_goes_back_and_a_second_abort_changes_nothing(host: ContractHost) -> None:
    deploy(host.transport, ONE)
    with host.transport.connect() as session:
        token = lease(session).token
        release = stage(session, token, TWO).release.release
        apply(session, token, release, TWO.health())
        for _ in range(2):
            events = list(session.revert(m.Revert(token, "web", "no")))
            assert events[-1].outcome is m.Outcome.REVERTED
        seen = session.observe("web")
        assert seen.daemon.release_digest == ONE.release_digest


def test_requests_repeated_answer_the_same(host: ContractHost) -> None:
    with host.transport.connect() as session:
        token = lease(session).token
        first, second = stage(session, token, ONE), stage(session, token, ONE)
        assert first.release == second.release
        # Not even the first deployment sends all: the placeholder's tar has the same end.
        assert (first.received, second.received) == (len(ONE.tar) - 1024, 0)
        release = first.release.release
        request = m.Apply(token, "web", release, ONE.health())
        ends = [list(session.apply(request))[-1].outcome for _ in range(2)]
        assert ends == [m.Outcome.HEALTHY] * 2
        answers = {session.confirm(m.Confirm(token, "web", release)) for _ in range(2)}
        assert answers == {m.Confirmed(release, ONE.release_digest)}
        assert list(session.apply(request))[-1].outcome is m.Outcome.COMMITTED


def test_the_second_operator_is_refused_by_name(host: ContractHost) -> None:
    with host.transport.connect() as session, host.transport.connect() as other:
        token = lease(session, "ana").token
        with pytest.raises(errors.LeaseHeld, match="`ana`"):
            lease(other, "ben")
        seen = other.observe("web").lease
        assert seen is not None
        assert (seen.who, seen.token) == ("ana", token)
        broken = other.break_lease("ben", "ana is on a plane")
        assert broken is not None
        newer = lease(other, "ben").token
        assert newer > token
        with pytest.raises(errors.StaleToken):
            stage(session, token, ONE)


def test_a_new_lease_ends_what_the_old_one_left_unconfirmed(host: ContractHost) -> None:
    good = deploy(host.transport, ONE)
    unfinished = deploy(host.transport, TWO, confirm=False)
    with host.transport.connect() as session:
        session.break_lease("ben", "gone")
        token = lease(session, "ben").token
        release = stage(session, token, THREE).release.release
        seen = session.observe("web")
        assert seen.current is not None
        assert seen.current.release == good.release
        assert release > unfinished.release


def test_the_lease_of_a_dead_process_is_void(host: ContractHost) -> None:
    me = own_identity()
    alive = m.TakeLease("ana", "", 60.0, "run-alive", me.pid, me.started)
    dead = replace(alive, run="run-dead", pid=_ended_process(), pid_started=1)
    with host.transport.connect() as session:
        _tell_memory_who_is_dead(session, dead.pid or 0)
        first = session.take_lease(dead)
        second = session.take_lease(alive)
        assert second.token == first.token + 1


def test_bytes_that_do_not_hash_are_refused_and_forgotten(host: ContractHost) -> None:
    with host.transport.connect() as session:
        token = lease(session).token
        wrong = ONE.tar.replace(b"<p>one", b"<p>0ne")
        with pytest.raises(errors.DigestMismatch):
            session.stage(ONE.stage(token), io.BytesIO(wrong))
        lying = replace(ONE.stage(token), site_digest=TWO.site_digest)
        with pytest.raises(errors.DigestMismatch):
            session.stage(lying, io.BytesIO(ONE.tar))
        assert stage(session, token, ONE).release.release.startswith("000001-")


def test_what_is_no_site_is_refused(host: ContractHost) -> None:
    junk = b"this is not a tar" * 100
    request = m.Stage(0, "web", f"sha256:{sha256(junk).hexdigest()}", ONE.site_digest, len(junk))
    with host.transport.connect() as session:
        token = lease(session).token
        with pytest.raises(errors.ReleaseRefused):
            session.stage(replace(request, token=token), io.BytesIO(junk))
        seen = session.observe("web")
        assert (seen.phase, len(seen.releases)) == (m.Phase.IDLE, 1)


class _Cut(Exception):  # noqa: N818 - the operator's side dies here
    pass


class _CutTar(io.BytesIO):
    """Breaks in the middle of its reading."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 500_000:
            raise _Cut
        return super().read(size)


def test_a_broken_upload_continues_where_it_stopped(host: ContractHost) -> None:
    offsets: list[int] = []
    with host.transport.connect() as session:
        token = lease(session).token
        cut: BinaryIO = _CutTar(BIG.tar)
        with pytest.raises(_Cut):
            session.stage(BIG.stage(token), cut)
    with host.transport.connect() as session:
        staged = session.stage(
            BIG.stage(token), io.BytesIO(BIG.tar), lambda done, total: offsets.append(done)
        )
    assert 0 < offsets[0] < len(BIG.tar) == offsets[-1]
    assert staged.received == len(BIG.tar) - offsets[0]


def test_prune_keeps_what_may_be_needed(host: ContractHost) -> None:
    releases = [deploy(host.transport, site(f"number {n}")).release for n in range(4)]
    with host.transport.connect() as session:
        token = lease(session).token
        session.pin(m.Pin(token, "web", releases[0]))
        would = session.prune(m.Prune(token, "web", keep=0, dry_run=True))
        done = session.prune(m.Prune(token, "web", keep=0))
        assert would.removed == done.removed
        assert done.freed_bytes > 0
        kept = [one.release for one in session.observe("web").releases]
        assert kept == [releases[0], releases[3]]
        assert session.prune(m.Prune(token, "web", keep=0)).removed == ()
        session.release_lease(token)
    deploy(host.transport, site("after the prune"))


def test_the_audit_chain_verifies(host: ContractHost) -> None:
    deploy(host.transport, ONE)
    with host.transport.connect() as session:
        report = session.audit_verify()
    assert (report.intact, report.torn_bytes, report.broken_line) == (True, 0, None)
    assert report.entries >= 9


def test_the_daemon_starts_stops_and_says_so(host: ContractHost) -> None:
    with host.transport.connect() as session:
        assert not session.daemon_status("web").running
        assert session.start_daemon("web").running
        assert session.start_daemon("web").supervised
        assert session.stop_daemon("web")
        assert not session.daemon_status("web").running
        assert not session.stop_daemon("web")


def test_what_does_not_exist_is_named(host: ContractHost) -> None:
    with host.transport.connect() as session:
        assert not session.observe("nosuch").installed
        with pytest.raises(errors.NotInstalled, match="`nosuch`"):
            session.history("nosuch", 5)
        with pytest.raises(errors.BadRequest, match=r"`\.\./up`"):
            session.observe("../up")
        with pytest.raises(errors.NoSuchRelease, match="000099-ffff"):
            session.members("web", "000099-ffff")
        token = lease(session).token
        with pytest.raises(errors.NotStaged):
            apply(session, token, "000099-ffff", ONE.health())
        with pytest.raises(errors.StaleToken):
            stage(session, token + 7, ONE)


def test_install_is_idempotent_and_takes_new_settings(host: ContractHost) -> None:
    with host.transport.connect() as session:
        settings = session.observe("web").settings
        assert settings is not None
        assert not session.install(m.Install("web", settings)).changed
        wider = replace(settings, names=("localhost", "example.test"))
        assert session.install(m.Install("web", wider)).changed
        assert session.observe("web").settings == wider


def _ended_process() -> int:
    """A pid that surely is nobody's now."""
    return int(Path("/proc/sys/kernel/pid_max").read_text()) + 1


def _tell_memory_who_is_dead(session: HostSession, pid: int) -> None:
    memory = getattr(session, "_memory", None)
    if memory is not None:
        memory.world.tools.dead_processes.add(pid)


def test_only_what_the_host_lacks_is_sent(host: ContractHost) -> None:
    before, after = _twins(b"one"), _twins(b"two")
    deploy(host.transport, before)
    with host.transport.connect() as session:
        token = lease(session).token
        told: list[tuple[int, int]] = []
        staged = session.stage(
            after.stage(token), io.BytesIO(after.tar), lambda *seen: told.append(seen)
        )
        session.release_lease(token)
    # The index, the page with its header, and no byte of the large file beside it.
    assert 0 < staged.received < 8192 < len(after.tar) // 20
    assert told[0][0] == len(after.tar) - staged.received
    assert told[-1] == (len(after.tar), len(after.tar))


def test_a_release_put_together_from_a_damaged_one_is_noticed(host: ContractHost) -> None:
    before, after = _twins(b"one"), _twins(b"two")
    deploy(host.transport, before)
    wrong = replace(after.stage(0), extents=before.extents)
    with host.transport.connect() as session:
        token = lease(session).token
        with pytest.raises((errors.BadRequest, errors.DigestMismatch)):
            session.stage(replace(wrong, token=token, size=len(after.tar) - 512), io.BytesIO(b""))
        staged = stage(session, token, after)
        session.release_lease(token)
    assert staged.release.release_digest == after.release_digest


def _twins(page: bytes) -> Site:
    """Two files: a page of its own, and a large one that all of them share."""
    large = b"".join(sha256(b"%d" % at).digest() for at in range(10_000))
    return packed({"index.html": b"<title>" + page + b"</title>", "large.bin": large})
