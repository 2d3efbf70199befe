"""A daemon and its supervisor as one value: loads what `current` leads to, answers what it loaded.

Works on any `Disk`, so the crash tests use it on a real directory too. Its faults are attributes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field, replace
from itertools import count

from zeroserve.pack.hosts import HOSTS_PATH
from zsops.host.layout import InstancePaths
from zsops.host.messages import DaemonState, InstanceSettings, Listener
from zsops.host.world import Disk, Fetched, ReloadAnswer, Started, Target

_DOOR = "unix:door"


@dataclass(frozen=True)
class Loaded:
    """One generation: everything it serves was read in one go."""

    release: str
    release_digest: str
    site_digest: str
    tar: bytes
    cert: bytes
    key: bytes = field(default=b"", repr=False)
    ech: tuple[bytes, ...] = field(default=(), repr=False)
    further: tuple[bytes, ...] = ()  # certificates
    shown: bytes | None = None  # a fault: another certificate is shown than was loaded


@dataclass(frozen=True)
class Process:
    """Which program a daemon is."""

    pid: int = 1
    version: str = "memory"


class MemoryDaemon:
    """`DaemonDoor` for the instances on `disk`."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.running: dict[str, Loaded] = {}
        self.supervised: set[str] = set()
        self.generation: dict[str, int] = {}
        self.processes: dict[str, Process] = {}
        self.candidates: dict[str, tuple[Loaded, Process]] = {}
        self._pids = count(100)
        self._probation: set[str] = set()  # took over, and is not kept yet
        self.armed_seq: dict[str, int] = {}
        # Faults, by release digest where one release is to be bad:
        self.refuses: dict[str, str] = {}  # a reload or start answers with this error
        self.refuses_cert: dict[bytes, str] = {}
        self.serves_badly: set[str] = set()  # status 500 for everything but the probe path
        self.start_error: str | None = None  # as a port in use
        self.takes_timers = True
        self.draining: set[str] = set()  # versions of daemons that still finish their requests
        # By version: `start` (does not start), `door` (serves badly as a candidate), `swap` (dies
        # before it takes over), `public` (serves badly once it has).
        self.bad_versions: dict[str, str] = {}

    # -- the door --------------------------------------------------------------------

    def status(self, instance: str) -> DaemonState:
        loaded = self.running.get(instance)
        supervised = instance in self.supervised
        if loaded is None:
            return DaemonState(running=False, supervised=supervised, error=self.start_error)
        return DaemonState(
            running=True,
            supervised=supervised,
            pid=self._process(instance).pid,
            version=self._process(instance).version,
            generation=self.generation.get(instance, 1),
            release=loaded.release,
            release_digest=loaded.release_digest,
            site_digest=loaded.site_digest,
            started_at="1970-01-01T00:00:00Z",
            listeners=self._listeners(instance),
        )

    def reload(self, instance: str, expect: str, timeout_s: float) -> ReloadAnswer:
        del timeout_s
        if instance not in self.running:
            return ReloadAnswer(running=False, ok=False)
        loaded = self._load(instance)
        if isinstance(loaded, str):
            return ReloadAnswer(running=True, ok=False, error=loaded)
        if loaded.release_digest != expect:
            text = f"loaded {loaded.release_digest}, expected {expect}"
            return ReloadAnswer(running=True, ok=False, error=text)
        self.running[instance] = loaded
        self.generation[instance] = self.generation.get(instance, 1) + 1
        return ReloadAnswer(True, True, self.generation[instance], loaded.release_digest)

    def ensure(self, instance: str, timeout_s: float) -> Started:
        del timeout_s
        fresh = instance not in self.running
        self.supervised.add(instance)
        if not fresh:
            return Started(fresh=False)
        loaded = self.start_error or self._load(instance)
        if isinstance(loaded, str):
            return Started(True, loaded)
        version = self._chosen(instance)
        if self.bad_versions.get(version) == "start":
            return Started(True, "a fault at the start")
        self.running[instance] = loaded
        self.processes[instance] = Process(next(self._pids), version)
        self.generation[instance] = 1
        return Started(True)

    def start_slot(self, instance: str, version: str | None, timeout_s: float) -> Started:
        del timeout_s
        loaded = self._load(instance)
        wanted = version or "memory"
        if isinstance(loaded, str):
            return Started(True, loaded)
        if self.bad_versions.get(wanted) == "start":
            return Started(True, "a fault at the start")
        self.candidates[instance] = (loaded, Process(next(self._pids), wanted))
        return Started(True)

    def candidate(self, instance: str) -> DaemonState:
        found = self.candidates.get(instance)
        if found is None:
            return DaemonState(running=False, error="there is no candidate")
        loaded, process = found
        return DaemonState(
            running=True,
            supervised=True,
            pid=process.pid,
            version=process.version,
            generation=1,
            release=loaded.release,
            release_digest=loaded.release_digest,
            site_digest=loaded.site_digest,
            listeners=(Listener("https", _DOOR),),
        )

    def swap(self, instance: str, drain_s: float, timeout_s: float) -> str | None:
        del drain_s, timeout_s
        found = self.candidates.pop(instance, None)
        if found is None or self.bad_versions.get(found[1].version) == "swap":
            return "there is no candidate to take over"
        self.running[instance], self.processes[instance] = found
        self.generation[instance] = 1
        self._probation.add(instance)
        return None

    def keep(self, instance: str, timeout_s: float) -> str | None:
        del timeout_s
        self._probation.discard(instance)
        return None

    def drop(self, instance: str, timeout_s: float) -> None:
        del timeout_s
        self.candidates.pop(instance, None)

    def stop(self, instance: str) -> bool:
        was = instance in self.supervised or instance in self.running
        self.supervised.discard(instance)
        self.running.pop(instance, None)
        self.candidates.pop(instance, None)
        return was

    def running_programs(self) -> frozenset[str] | None:
        live = {self._process(each).version for each in self.running}
        beside = {process.version for _, process in self.candidates.values()}
        return frozenset(live | beside | self.draining)

    def arm(self, instance: str, journal_seq: int, timeout_s: float) -> bool:
        del timeout_s
        if instance not in self.supervised or not self.takes_timers:
            return False
        self.armed_seq[instance] = journal_seq
        return True

    def fetch(self, target: Target, path: str, timeout_s: float) -> Fetched:
        del timeout_s
        instance = target.anchors[0].split("/")[1]
        loaded, process = self.running.get(instance), self._process(instance)
        fault = "public"
        if target.address == _DOOR and instance in self.candidates:
            (loaded, process), fault = self.candidates[instance], "door"
        if loaded is None:
            return Fetched(error="ConnectionRefusedError: nobody listens")
        if self.bad_versions.get(process.version) == fault:
            return _answer(500, b"a fault of this version")
        trusted = [self._disk.read(each) for each in target.anchors]
        # The one for the name: it verifies only against itself.
        chosen = next((each for each in (loaded.cert, *loaded.further) if each in trusted), None)
        if target.scheme == "https" and chosen is None:
            return Fetched(error="the certificate does not verify: self-signed certificate")
        secret = (self._disk.read(InstancePaths(instance).probe_secret) or b"").decode()
        if path == f"/.zeroserve/probe/{secret}":
            answer = {"v": 1, "pid": process.pid, "generation": self.generation.get(instance, 1)}
            digests = {"release_digest": loaded.release_digest, "site_digest": loaded.site_digest}
            told = _answer(200, json.dumps({**answer, **digests}).encode())
            return replace(
                told, leaf=_leaf(loaded.shown or chosen or b"") if target.scheme == "https" else ""
            )
        if loaded.release_digest in self.serves_badly:
            return _answer(500, b"broken on purpose")
        return _serve(loaded.tar, target.name, path)

    # -- faults ----------------------------------------------------------------------

    def crash(self, instance: str) -> None:
        """The daemon dies; its supervisor lives and would start it again."""
        self.running.pop(instance, None)

    def asker_died(self) -> None:
        """Whoever asked is gone: supervisors end candidates, and go back to what is chosen."""
        self.candidates.clear()
        for instance in self._probation & self.running.keys():
            chosen = self._chosen(instance)
            if self._process(instance).version != chosen:
                self.processes[instance] = Process(next(self._pids), chosen)
        self._probation.clear()

    def power_off(self) -> None:
        """Everything that runs is gone."""
        self.running.clear()
        self.candidates.clear()
        self._probation.clear()
        self.supervised.clear()
        self.armed_seq.clear()

    def _process(self, instance: str) -> Process:
        return self.processes.get(instance, Process())

    def _chosen(self, instance: str) -> str:
        raw = self._disk.read(InstancePaths(instance).program)
        return "memory" if raw is None else str(json.loads(raw)["version"])

    # -- loading ---------------------------------------------------------------------

    def _listeners(self, instance: str) -> tuple[Listener, ...]:
        raw = self._disk.read(InstancePaths(instance).settings) or b"{}"
        wish = InstanceSettings(**json.loads(raw))
        tls = tuple(Listener("https", address) for address in wish.tls_addresses)
        return tls + tuple(Listener("http", address) for address in wish.addresses)

    def _load(self, instance: str) -> Loaded | str:
        paths = InstancePaths(instance)
        target = self._disk.read_link(paths.current)
        if target is None:
            return f"`{paths.current}` does not exist"
        home = f"{paths.home}/{target}"
        tar, cert = self._disk.read(f"{home}/site.tar"), self._disk.read(f"{home}/tls/cert.pem")
        key, manifest = (
            self._disk.read(f"{home}/tls/key.pem"),
            self._disk.read(f"{home}/manifest.json"),
        )
        if tar is None or cert is None or key is None or manifest is None:
            return f"`{home}` is not a release"
        facts = json.loads(manifest)
        digest = f"sha256:{hashlib.sha256(tar).hexdigest()}"
        if digest != facts["release_digest"]:
            return f"`{home}/site.tar` does not hash to its manifest's digest"
        if digest in self.refuses or cert in self.refuses_cert:
            return self.refuses.get(digest) or self.refuses_cert[cert]
        ech = (self._disk.read(f"{home}/ech/{name}") for name in self._disk.list_dir(f"{home}/ech"))
        keys = tuple(each or b"" for each in ech)
        listed = self._disk.list_dir(f"{home}/tls")
        more = (
            self._disk.read(f"{home}/tls/{n}") or b"" for n in listed if n.endswith(".cert.pem")
        )
        site_digest = facts["site_digest"]
        return Loaded(facts["release"], digest, site_digest, tar, cert, key, keys, tuple(more))


def _leaf(cert_pem: bytes) -> str:
    body = cert_pem.partition(b"-----BEGIN CERTIFICATE-----")[2].partition(b"-----END")[0]
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


def _answer(status: int, body: bytes) -> Fetched:
    return Fetched(status, (), body[: 64 << 10], hashlib.sha256(body).hexdigest())


def _serve(tar: bytes, host: str, path: str) -> Fetched:
    name = path.lstrip("/").split("?")[0]
    if name == "" or name.endswith("/"):
        name += "index.html"
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        root = ""
        if HOSTS_PATH in archive.getnames():
            document = archive.extractfile(HOSTS_PATH)
            assert document is not None
            found = json.load(document).get(host)
            if found is None:
                return _answer(421, b"no such host here")
            root = f"{found}/"
        for wanted, status in ((root + name, 200), (f"{root}404.html", 404)):
            try:
                member = archive.extractfile(wanted)
            except KeyError:
                continue
            if member is not None:
                return _answer(status, member.read())
    return _answer(404, b"not found")
