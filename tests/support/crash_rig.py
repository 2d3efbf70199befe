"""The crash exploration: run a scenario, stop it after effect k, recover, check the invariants.

A scenario runs on a real directory with a daemon in process. For every k and every way of
stopping, the state afterwards must keep I1-I4 and I7-I9 of the design, and the next deployment
must work.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.deployment import SETTINGS
from support.recording_disk import RecordingDisk
from support.sites import Site, site
from zeroserve import __version__
from zsops.errors import ZsopsError
from zsops.host import audit, journal, layout
from zsops.host import messages as m
from zsops.host.effects import Effect
from zsops.host.service import HostService
from zsops.transport.memory import MemoryHost, MemoryWorld
from zsops.transport.memory_daemon import Loaded, MemoryDaemon, Process
from zsops.transport.memory_disk import MemoryDisk

PATHS = layout.InstancePaths("web")
NEXT_SITE = site("the deployment after the crash")
DEAD_OPERATOR, LIVE_OPERATOR = 77, 78


class Stopped(BaseException):
    """The process was killed; a BaseException, so that nothing on the way can handle it."""


@dataclass
class Operator:
    """Drives one host's requests directly; `confirmed` is what it was told."""

    service: HostService
    world: MemoryWorld
    pid: int
    confirmed: str | None = None
    upgraded: str | None = None

    def take(self) -> int:
        request = m.TakeLease("ana", "a crash test", 60.0, f"run-{self.pid}", self.pid, 1)
        return self.service.take_lease(request).token

    def stage(
        self,
        token: int,
        what: Site,
        material: m.Material | None = None,
        *,
        only_site: str | None = None,
    ) -> str:
        sent = io.BytesIO()

        def begin(offset: int, missing: tuple[tuple[int, int], ...]) -> None:
            del offset
            sent.write(b"".join(what.tar[at : at + size] for at, size in missing))
            sent.seek(0)

        self.world.on_offset = begin
        self.world.chunks = lambda: sent.read(1024)  # several chunks, so several crash points
        request = replace(what.stage(token), material=material, only_site=only_site)
        return self.service.stage(request).release.release

    def put(self, token: int, release: str, health: m.HealthPolicy) -> m.Outcome:
        outcome = self.service.apply(m.Apply(token, "web", release, health))
        if outcome is m.Outcome.HEALTHY:
            self.service.confirm(m.Confirm(token, "web", release))
            self.confirmed = release
        self.service.release_lease(token)
        return outcome

    def deploy(self, what: Site, material: m.Material | None = None) -> m.Outcome:
        token = self.take()
        return self.put(token, self.stage(token, what, material), what.health())

    def rotate(self, material: m.Material) -> m.Outcome:
        token = self.take()
        staged = self.service.prepare_rotation(m.PrepareRotation(token, "web", material))
        return self.put(token, staged.release.release, m.HealthPolicy(successes=1, timeout_s=1.0))

    def upgrade(self, version: str) -> m.Outcome:
        """Send a wheel, then have it take over."""
        token = self.take()
        wheel = f"the wheel of {version}".encode()
        sent = io.BytesIO(wheel)
        self.world.on_offset = lambda offset, missing: None
        self.world.chunks = lambda: sent.read(8)
        digest = f"sha256:{hashlib.sha256(wheel).hexdigest()}"
        self.service.stage_program(m.StageProgram(token, "web", version, digest, len(wheel)))
        return self._swap(token, version, version)

    def upgrade_to_own(self) -> m.Outcome:
        """Back to the installation's own version, which the daemon in memory calls `memory`."""
        return self._swap(self.take(), __version__, "memory")

    def _swap(self, token: int, version: str, told: str) -> m.Outcome:
        health = m.HealthPolicy(successes=1, timeout_s=1.0)
        outcome = self.service.upgrade(m.Upgrade(token, "web", version, health))
        if outcome is m.Outcome.COMMITTED:
            self.upgraded = told
        self.service.release_lease(token)
        return outcome

    def rollback(self) -> m.Outcome:
        token = self.take()
        staged = self.service.prepare_rollback(m.PrepareRollback(token, "web"))
        return self.put(token, staged.release.release, m.HealthPolicy(successes=1, timeout_s=1.0))


@dataclass(frozen=True)
class Scenario:
    """`before` runs undisturbed, `subject` is what gets killed."""

    name: str
    before: Callable[[Operator], object]
    subject: Callable[[Operator], object]
    breaks: tuple[str, ...] = ()  # release digests that serve badly
    bad_versions: tuple[tuple[str, str], ...] = ()  # of the daemon, and how


@dataclass
class Start:
    """What `before` left: copied for every crash point."""

    disk: MemoryDisk
    running: dict[str, Loaded]
    supervised: set[str]
    processes: dict[str, Process]
    seconds: float


@dataclass
class Host:
    """One host of the exploration, on a real directory."""

    disk: RecordingDisk
    world: MemoryWorld
    daemon: MemoryDaemon
    stopped_at: Effect[object] | None = None

    def service(self, stop_after: int | None = None) -> HostService:
        left = stop_after

        def after(effect: Effect[object]) -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left == 0:
                    self.stopped_at = effect
                    raise Stopped

        return HostService(self.world, str(self.disk.root), after)

    def state(self) -> journal.State | None:
        raw = self.disk.read(PATHS.journal)
        return None if raw is None else journal.decode(raw)

    def current(self) -> str | None:
        return (self.disk.read_link(PATHS.current) or "").removeprefix("releases/") or None


@dataclass
class Report:
    """What an exploration did."""

    scenario: str
    effects: int = 0
    points: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.scenario}: {self.effects} effects, {self.points} crashes, "
            f"{len(self.violations)} violations"
        )


def prepare(scenario: Scenario) -> Start:
    """Run `before` on a host in memory; everything it did counts as long ago, so synced."""
    host = MemoryHost()
    host.daemon.serves_badly.update(scenario.breaks)
    scenario.before(Operator(host.service(), host.world, LIVE_OPERATOR))
    daemon = host.daemon
    return Start(
        host.disk, daemon.running, daemon.supervised, daemon.processes, host.world.clock.seconds
    )


def make_host(start: Start, scenario: Scenario, root: Path) -> Host:
    """A fresh host in the state `before` left."""
    disk = RecordingDisk(root, copy.deepcopy(start.disk))
    daemon = MemoryDaemon(disk)
    daemon.running, daemon.supervised = dict(start.running), set(start.supervised)
    daemon.processes = dict(start.processes)
    daemon.serves_badly.update(scenario.breaks)
    daemon.bad_versions.update(scenario.bad_versions)
    world = MemoryWorld(disk, daemon)
    world.clock.seconds = start.seconds
    return Host(disk, world, daemon)


# -- ways to stop --------------------------------------------------------------------


def kill(host: Host) -> None:
    """`kill -9` of operator and `zsops-host`: files stay, daemon and supervisor live on."""
    host.daemon.asker_died()
    if "web" in host.daemon.supervised:
        host.world.clock.seconds += 300.0  # past any deadline, which the supervisor keeps
        host.service().expire("web")


def cut_power(mix: random.Random | None) -> Callable[[Host], None]:
    """Power loss: unsynced bytes are lost (or a random part of them); recovery, then the daemon."""

    def stop(host: Host) -> None:
        host.daemon.power_off()
        host.disk.lose_power(mix)
        host.world.clock.boot += 1
        host.world.clock.seconds = 5.0
        for instance in host.service().instances():
            # As the boot does it: recovery before the daemon, for whatever is installed.
            if host.service().recover(instance) is not None:
                host.daemon.ensure(instance, 1.0)

    return stop


def explore(scenario: Scenario, folder: Path, seeds: int) -> Report:
    """Stop after every effect, in every way; all violations found."""
    start = prepare(scenario)
    before = _facts(make_host(start, scenario, folder / "before"))
    report = Report(scenario.name)
    stops = ["kill", "power", *(f"mix {seed}" for seed in range(seeds))]
    for number in _effect_numbers(start, scenario, folder, report):
        for how in stops:
            host = make_host(start, scenario, folder / f"{number}-{how.replace(' ', '-')}")
            operator = Operator(host.service(number), host.world, DEAD_OPERATOR)
            with contextlib.suppress(Stopped):
                scenario.subject(operator)
            report.points += 1
            where = f"{scenario.name}, {how} after effect {number} ({host.stopped_at})"
            for problem in _crash_and_check(host, operator, how, number, before):
                report.violations.append(f"{where}: {problem}")
    return report


def _effect_numbers(
    start: Start, scenario: Scenario, folder: Path, report: Report
) -> Iterator[int]:
    host = make_host(start, scenario, folder / "count")
    count = 0

    def after(effect: Effect[object]) -> None:
        nonlocal count
        del effect
        count += 1

    service = HostService(host.world, str(host.disk.root), after)
    scenario.subject(Operator(service, host.world, DEAD_OPERATOR))
    report.effects = count
    return iter(range(1, count + 1))


@dataclass(frozen=True)
class Facts:
    """What served before the subject began; None when nothing was installed."""

    release: str | None


def _facts(host: Host) -> Facts:
    return Facts(host.current())


def _crash_and_check(
    host: Host, operator: Operator, how: str, number: int, before: Facts
) -> Iterator[str]:
    yield from _written_ahead(host, before)
    stop = kill
    if how != "kill":
        seed = how.removeprefix("mix ")
        stop = cut_power(random.Random(f"{seed}/{number}") if seed != "power" else None)
    try:
        stop(host)
    except (ZsopsError, OSError) as error:
        yield f"recovery failed: {error!r}"
        return
    yield from _consistent(host, operator, before)
    yield from _one_daemon(host, operator)
    yield from _next_works(host)


def _written_ahead(host: Host, before: Facts) -> Iterator[str]:
    """At any moment, `current` is moved only under a durable journal entry that says so."""
    twin = copy.deepcopy(host.disk.twin)
    twin.power_loss()
    moved = (twin.read_link(PATHS.current) or "").removeprefix("releases/")
    state = journal.decode(twin.read(PATHS.journal) or b"")
    is_moved = before.release and moved and moved != before.release
    if is_moved and (state is None or moved not in state.expected):
        yield f"`current` is durably {moved}, and the durable journal does not say so"


# -- invariants ----------------------------------------------------------------------


def _consistent(host: Host, operator: Operator, before: Facts) -> Iterator[str]:
    state, current = host.state(), host.current()
    if state is None:  # an install that did not finish leaves no instance
        if before.release is not None:
            yield "the journal is gone"
        return
    yield from _whole(host, current)
    if state.phase not in (m.Phase.IDLE, m.Phase.STAGED):
        yield f"at rest in phase {state.phase}"
    # I3: not confirmed means the release before; confirmed, and told so, means the new one.
    wanted = {before.release} if before.release else {state.last_good}
    if operator.confirmed is not None:
        wanted = {operator.confirmed}
    elif state.last_good != before.release and before.release is not None:
        wanted = {state.last_good}  # committed, but nobody lived to hear it
    if current not in wanted:
        yield f"I3: `current` is {current}, should be one of {wanted}"
    yield from _served_whole(host, current)
    yield from _audited(host, state)


def _whole(host: Host, current: str | None) -> Iterator[str]:
    """I1, I4: every release named anywhere is complete, every blob hashes to its name."""
    for shelf in host.disk.list_dir(layout.BLOBS):
        for digits in host.disk.list_dir(f"{layout.BLOBS}/{shelf}"):
            if host.disk.sha256(f"{layout.BLOBS}/{shelf}/{digits}") != digits:
                yield f"I1: blob {digits[:8]} does not hash to its name"
    state = host.state()
    assert state is not None
    for release in {current, state.prev, state.last_good}:
        home = f"{PATHS.releases}/{release}"
        manifest = host.disk.read(f"{home}/manifest.json")
        if manifest is None or host.disk.sha256(f"{home}/site.tar") not in manifest.decode():
            yield f"I1/I4: release {release} is not complete"
        elif _secrets_digest(host, home) not in manifest.decode():
            yield f"I1: certificate or keys of {release} are not those of its manifest"


def _secrets_digest(host: Host, home: str) -> str:
    """Hashes of certificate and key, then names and hashes of further pairs and of ECH keys."""
    total = hashlib.sha256()
    for name in ("tls/cert.pem", "tls/key.pem"):
        total.update((host.disk.sha256(f"{home}/{name}") or "").encode())
    for name in host.disk.list_dir(f"{home}/tls"):
        if name.startswith("more-"):
            total.update(f"tls/{name}\n{host.disk.sha256(f'{home}/tls/{name}')}\n".encode())
    for name in host.disk.list_dir(f"{home}/ech"):
        total.update(f"ech/{name}\n{host.disk.sha256(f'{home}/ech/{name}')}\n".encode())
    return total.hexdigest()


def _served_whole(host: Host, current: str | None) -> Iterator[str]:
    """I2: the daemon serves site, certificate and keys of one release, the current one."""
    if "web" not in host.daemon.supervised:
        return
    loaded = host.daemon.running.get("web")
    if loaded is None:
        yield "I2: nothing serves"
        return
    home = f"{PATHS.releases}/{current}"
    names = ("site.tar", "tls/cert.pem", "tls/key.pem")
    on_disk = [host.disk.read(f"{home}/{name}") for name in names]
    listed = (name for name in host.disk.list_dir(f"{home}/tls") if name.endswith(".cert.pem"))
    on_disk += [host.disk.read(f"{home}/tls/{name}") for name in listed]
    on_disk += [host.disk.read(f"{home}/ech/{n}") for n in host.disk.list_dir(f"{home}/ech")]
    served = [loaded.tar, loaded.cert, loaded.key, *loaded.further, *loaded.ech]
    if served != on_disk:
        yield f"I2: serves {loaded.release}, `current` is {current}"
    if f"sha256:{hashlib.sha256(loaded.tar).hexdigest()}" != loaded.release_digest:
        yield "I2: serves bytes that are not its release's"


def _one_daemon(host: Host, operator: Operator) -> Iterator[str]:
    """One daemon serves, of a version that was proven; which one is what the next start takes."""
    if "web" not in host.daemon.supervised:
        return
    if host.daemon.candidates:
        yield "a candidate is left running"
    seen = host.daemon.status("web")
    bad = host.daemon.bad_versions.keys()
    chosen = host.disk.read(PATHS.program)
    version = "memory" if chosen is None else str(json.loads(chosen)["version"])
    if {seen.version, version} & bad:
        yield f"version {seen.version} runs and {version} is chosen, which is bad"
    if operator.upgraded not in (None, seen.version):
        yield f"version {seen.version} runs, {operator.upgraded} was said to"
    for each, what in ((version, "is chosen"), (seen.version, "runs")):
        installed = each not in (None, "memory") and chosen is not None
        if installed and host.disk.read(f"{layout.program(each or '')}/complete.json") is None:
            yield f"version {each} {what} and is not whole on disk"


def _audited(host: Host, state: journal.State) -> Iterator[str]:
    """I7: the chain holds, and each transition has exactly one line."""
    raw = host.disk.read(layout.AUDIT) or b""
    report = audit.verify(raw)
    if not report.intact:
        yield f"I7: {report.problem}"
    seqs = [e.journal_seq for e in audit.parse(raw) if e.journal_seq is not None]
    # The newest line may still be owed: the next request's first act is to write it.
    if seqs not in (list(range(1, state.seq + 1)), list(range(1, state.seq))):
        yield f"I7: audit lines for transitions {seqs}, the journal is at {state.seq}"


def _next_works(host: Host) -> Iterator[str]:
    """I8 and I9: another operator's deployment works, and its answers can be asked for again."""
    host.world.tools.dead_processes.add(DEAD_OPERATOR)
    operator = Operator(host.service(), host.world, LIVE_OPERATOR)
    try:
        operator.service.install(m.Install("web", SETTINGS))
        token = operator.take()
        release = operator.stage(token, NEXT_SITE)
        if operator.stage(token, NEXT_SITE) != release:
            yield "I8: staging again made another release"
        outcome = operator.put(token, release, NEXT_SITE.health())
        if outcome is not m.Outcome.HEALTHY:
            yield f"I9: the next deployment ended {outcome}"
            return
        operator.service.confirm(m.Confirm(token, "web", release))  # I8: once more, no change
    except (ZsopsError, OSError) as error:
        yield f"I9: the next deployment failed: {error!r}"
        return
    seen = operator.service.observe("web")
    if not (seen.current and seen.current.release == seen.last_good == release):
        yield f"I9: after exit 0 current is {seen.current}, last good {seen.last_good}"
    if seen.daemon.release_digest != NEXT_SITE.release_digest or seen.drift:
        yield f"I9: after exit 0 the daemon serves {seen.daemon.release_digest} ({seen.drift})"
    state = host.state()
    assert state is not None
    yield from _audited(host, state)
