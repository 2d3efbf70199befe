"""Any order of two operators, deployments, pauses, healing, reboots, a full disk, a dying daemon.

Rules act on a host in memory through sessions, as operators do; after each of them the host's
invariants must hold.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.crash_rig import PATHS
from support.deployment import SETTINGS, apply, lease, stage
from support.material import make_pair, sealed_to
from support.sites import Site, site

from zsops import errors
from zsops.host import audit, journal, layout, upkeep
from zsops.host import messages as m
from zsops.transport.memory import MemoryHost, MemorySession, MemoryTransport

SITES = tuple(site(f"variant {number}") for number in range(4))
BROKEN = site("broken variant")
PAIRS = (make_pair("localhost"), make_pair("localhost"))
QUICK = m.HealthPolicy(successes=1, interval_s=0.01, timeout_s=1.0)
WHO = st.sampled_from(["ana", "ben"])


class HostMachine(RuleBasedStateMachine):
    """`tokens`: what each operator believes it holds. `confirmed`: the newest release committed."""

    @initialize()
    def install(self) -> None:
        self.host = MemoryHost()
        self.host.daemon.serves_badly.add(BROKEN.release_digest)
        self.host.service().install(m.Install("web", SETTINGS))
        self.tokens: dict[str, int] = {}
        self.applied: dict[str, str] = {}
        self.confirmed = self.host.service().observe("web").last_good or ""
        self.newest_token = 0
        self.paused = False

    def _session(self) -> MemorySession:
        return MemoryTransport(self.host).connect()

    @rule(who=WHO)
    def take(self, who: str) -> None:
        held = self.host.service().observe("web").lease
        try:
            token = lease(self._session(), who, ttl_s=30.0).token
        except errors.HostHeld:
            assert self.paused
            return
        except errors.LeaseHeld:
            assert held is not None
            return
        except OSError:
            return  # the disk is full
        assert held is None
        assert not self.paused
        assert token > self.newest_token
        self.tokens[who] = self.newest_token = token

    @rule(who=WHO, number=st.sampled_from(range(len(PAIRS))), good=st.booleans())
    def rotate(self, who: str, number: int, good: bool) -> None:
        """Other secrets for the site in service; now and then a daemon that does not like them."""
        token = self.tokens.get(who, 0)
        session, pair = self._session(), PAIRS[number]
        try:
            material = sealed_to(session.recipients(), pair)
            request = m.PrepareRotation(token, "web", material, retry_quarantined=True)
            staged = session.prepare_rotation(request)
            self.host.daemon.refuses_cert = {} if good else {pair.cert: "not this one"}
            events = apply(session, token, staged.release.release, QUICK)
        except (errors.HostError, OSError) as error:
            self._refused(token, error)
            return
        finally:
            self.host.daemon.refuses_cert = {}
        assert token == self.newest_token
        if events[-1].outcome is m.Outcome.HEALTHY:
            self.applied[who] = staged.release.release
            assert self.host.daemon.running["web"].cert == pair.cert

    @rule(who=WHO)
    def give_back(self, who: str) -> None:
        try:
            self._session().release_lease(self.tokens.pop(who, 0))
        except OSError:
            assert self.host.disk.full

    @rule(who=WHO, what=st.sampled_from([*SITES, BROKEN]))
    def deploy(self, who: str, what: Site) -> None:
        token = self.tokens.get(who, 0)
        try:
            staged = stage(self._session(), token, what)
            events = apply(self._session(), token, staged.release.release, what.health())
        except (errors.HostError, OSError) as error:
            self._refused(token, error)
            return
        assert token == self.newest_token
        outcome = events[-1].outcome
        if what is BROKEN:
            assert outcome in (m.Outcome.REVERTED, m.Outcome.UNSAFE)
        elif outcome is m.Outcome.HEALTHY:
            self.applied[who] = staged.release.release

    @rule(who=WHO)
    def roll_back(self, who: str) -> None:
        token = self.tokens.get(who, 0)
        try:
            staged = self._session().prepare_rollback(m.PrepareRollback(token, "web"))
            health = m.HealthPolicy(successes=1)
            events = apply(self._session(), token, staged.release.release, health)
        except (errors.HostError, OSError) as error:
            self._refused(token, error)
            return
        if events[-1].outcome is m.Outcome.HEALTHY:
            self.applied[who] = staged.release.release

    @rule(who=WHO)
    def confirm(self, who: str) -> None:
        release = self.applied.pop(who, None)
        if release is None:
            return
        try:
            answer = self._session().confirm(m.Confirm(self.tokens.get(who, 0), "web", release))
        except errors.HostError:
            return
        assert answer.serving == release
        self.confirmed = release
        seen = self.host.service().observe("web")
        assert seen.current is not None
        assert seen.current.release == seen.last_good == release

    @rule(who=WHO)
    def abort(self, who: str) -> None:
        try:
            list(self._session().revert(m.Revert(self.tokens.get(who, 0), "web", "no")))
        except (errors.HostError, OSError) as error:
            self._refused(self.tokens.get(who, 0), error)

    @rule(who=WHO, keep=st.integers(0, 3))
    def prune(self, who: str, keep: int) -> None:
        try:
            self._session().prune(m.Prune(self.tokens.get(who, 0), "web", keep))
        except (errors.HostError, OSError) as error:
            self._refused(self.tokens.get(who, 0), error)

    @rule(seconds=st.sampled_from([0.1, 5.0, 31.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.host.advance(seconds)

    @rule(who=WHO, on=st.booleans())
    def pause(self, who: str, on: bool) -> None:
        try:
            if on:
                self._session().hold(upkeep.Hold(who, "fair"))
            else:
                lifted = self._session().lift_hold(who, "over")
                assert (lifted is not None) == self.paused
        except OSError:
            assert self.host.disk.full
        self.paused = self.host.service().observe("web").hold is not None
        assert self.host.disk.full or self.paused == on

    @rule(who=WHO)
    def heal(self, who: str) -> None:
        token = self.tokens.get(who, 0)
        try:
            healed = self._session().heal(upkeep.Heal(token, "web"))
        except (errors.HostError, OSError) as error:
            self._refused(token, error)
            return
        assert healed.serving == self._state().prev == self._current()
        if not healed.serving.startswith("000000"):
            seen = self.host.service().observe("web")
            assert seen.daemon.running
            assert seen.drift is None

    @rule()
    def reload(self) -> None:
        try:
            self._session().reload_daemon("web")
        except (errors.HostError, OSError) as error:
            self._refused(0, error)

    @rule()
    def reboot(self) -> None:
        self.host.disk.full = False  # somebody made room: a boot writes its journals anyway
        self.host.reboot()
        self.tokens.clear()

    @rule()
    def kill_daemon(self) -> None:
        self.host.daemon.crash("web")

    @rule(full=st.booleans())
    def fill_disk(self, full: bool) -> None:
        self.host.disk.full = full

    def _refused(self, token: int, error: Exception) -> None:
        """A refusal has a reason that fits."""
        if isinstance(error, OSError):
            assert self.host.disk.full
        if isinstance(error, errors.StaleToken):
            # Fenced off, given back, or the host restarted since; never the newest live lease.
            held = self.host.service().observe("web").lease
            assert held is None or held.token != token
        assert not isinstance(error, errors.HostBug)

    @invariant()
    def current_is_a_whole_release(self) -> None:
        for release in {self._current(), self._state().prev, self._state().last_good}:
            home = f"{PATHS.releases}/{release}"
            manifest = (self.host.disk.read(f"{home}/manifest.json") or b"").decode()
            digest = self.host.disk.sha256(f"{home}/site.tar")
            assert digest is not None
            assert digest in manifest

    @invariant()
    def at_rest_the_confirmed_release_serves(self) -> None:
        state = self._state()
        assert state.last_good == self.confirmed
        if state.phase in (m.Phase.IDLE, m.Phase.STAGED) and state.unsafe is None:
            assert self._current() == state.last_good
        loaded = self.host.daemon.running.get("web")
        if loaded is not None:
            home = f"{PATHS.releases}/{self._current()}"
            assert loaded.tar == self.host.disk.read(f"{home}/site.tar")
            assert loaded.cert == self.host.disk.read(f"{home}/tls/cert.pem")

    @invariant()
    def each_transition_has_one_audit_line(self) -> None:
        raw = self.host.disk.read(layout.AUDIT) or b""
        assert audit.verify(raw).intact
        seqs = [e.journal_seq for e in audit.parse(raw) if e.journal_seq is not None]
        assert seqs in (
            list(range(1, self._state().seq + 1)),
            list(range(1, self._state().seq)),
        )

    def _current(self) -> str:
        return (self.host.disk.read_link(PATHS.current) or "").removeprefix("releases/")

    def _state(self) -> journal.State:
        state = journal.decode(self.host.disk.read(PATHS.journal) or b"")
        assert state is not None
        return state


TestHostMachine = HostMachine.TestCase
TestHostMachine.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
