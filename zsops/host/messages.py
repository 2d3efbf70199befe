"""What operator and host say to each other: frozen values, one class a message, no behaviour.

Digests are `sha256:` + 64 hex digits. Times are RFC 3339 UTC text; durations are seconds as floats
or milliseconds where the name says so. A *release* is named `NNNNNN-xxxx` (number, then four hex
digits of the site digest); `000000-…` is the placeholder made at install.
"""

from __future__ import annotations

from enum import StrEnum

from zsops.frozen import frozen, hidden
from zsops.host.upkeep import Held, Trouble

PROTOCOL_VERSION = 1
# A host also answers the version before its own, so that operators need not update in lockstep.
PROTOCOL_OLDEST = 1


class Phase(StrEnum):
    """Where an instance stands in the deploy protocol; kept in its journal."""

    IDLE = "idle"
    STAGED = "staged"
    ARMED = "armed"
    SWITCHED = "switched"
    RELOADED = "reloaded"
    HEALTHY = "healthy"
    COMMITTED = "committed"
    REVERTING = "reverting"

    @property
    def in_flight(self) -> bool:
        """True while `current` may point to an unconfirmed release (ARMED…HEALTHY, REVERTING)."""
        return self in _IN_FLIGHT


_IN_FLIGHT = frozenset(
    {Phase.ARMED, Phase.SWITCHED, Phase.RELOADED, Phase.HEALTHY, Phase.REVERTING}
)


class Step(StrEnum):
    """A step of a deployment as people see it."""

    LEASE = "lease"
    STAGE = "stage"
    START = "start"  # the daemon was not running and had to be started
    ARM = "arm"
    SWITCH = "switch"
    RELOAD = "reload"
    HEALTH = "health"
    CONFIRM = "confirm"
    REVERT = "revert"
    DONE = "done"


class Progress(StrEnum):
    """What a `StepEvent` says about its step."""

    STARTED = "started"
    NOTE = "note"
    DONE = "done"
    FAILED = "failed"


class Outcome(StrEnum):
    """How a request that moves the service ended; set on the last event only."""

    HEALTHY = "healthy"  # next serves and awaits its confirmation until the deadline
    COMMITTED = "committed"
    REVERTED = "reverted"  # prev (or last good) serves and is healthy: exit 8
    UNSAFE = "unsafe"  # nothing healthy to serve: exit 10


@frozen
class Fault:
    """An error that crossed the wire (or sits in an event): stable code, text, one thing to do."""

    code: str
    message: str
    hint: str | None = None


@frozen
class StepEvent:
    """One event of `apply` or `revert`, in order; the last one carries `outcome`."""

    step: Step
    progress: Progress
    detail: str = ""  # for people: `gen 42`, `7/7 bytes ok`, `daemon was not running; started`
    ms: int = 0  # time the step took so far
    error: Fault | None = None
    outcome: Outcome | None = None
    serving: str | None = None  # release name in service, on the last event
    release_digest: str | None = None  # of `serving`
    evidence: str | None = None  # path on the host of the saved failing response
    deadline_s: float | None = None  # seconds until the host reverts by itself, when armed


# -- settings of an instance ----------------------------------------------------------------------


@frozen
class InstanceSettings:
    """Written to `instance.json` at install; a change takes a daemon restart."""

    names: tuple[str, ...]  # host names and addresses the certificate covers; the first is the SNI
    tls_addresses: tuple[str, ...]  # `127.0.0.1:8443`, `:443`; port 0 lets the kernel choose
    addresses: tuple[str, ...] = ()  # plain HTTP
    log_format: str = "common"
    flags: tuple[str, ...] = ()  # further flags for the daemon, verbatim
    program: tuple[str, ...] = ()  # the daemon's argv prefix; empty: the `zeroserve` of this wheel


@frozen
class Install:
    """Make the instance (or bring its settings up to date). Idempotent; needs no lease."""

    instance: str
    settings: InstanceSettings


@frozen
class Installed:
    """`changed` is false when the instance already was as asked."""

    instance: str
    changed: bool
    restart_needed: bool  # settings changed while the daemon runs with the old ones


# -- looking --------------------------------------------------------------------------------------


@frozen
class Hello:
    """Who answers. `boot_id` changes at every start of the machine."""

    protocol: int
    software: str
    root: str
    boot_id: str
    instances: tuple[str, ...]


@frozen
class SitePart:
    """A site of a release. `root`: its folder in the tar with a closing slash; empty when alone."""

    name: str
    root: str
    digest: str  # its site digest, as if it were alone


@frozen
class CertificateFacts:
    """What anybody may know of a release's certificate. Times are RFC 3339."""

    leaf: str  # SHA-256 of its DER form, bare hex: what a client gets must hash to it
    names: tuple[str, ...]  # host names and IP addresses it is for
    issuer: str
    not_before: str
    not_after: str
    name: str = ""  # of `tls:`, for those beside the first


@frozen
class EchFacts:
    """What anybody may know of an ECH key: its ECHConfig. The newest key is the last one."""

    config_id: int
    public_name: str
    config: str  # one ECHConfig (RFC 9849), base64


@frozen
class ReleaseInfo:
    """A release kept on the host."""

    release: str
    number: int
    release_digest: str
    site_digest: str
    size: int
    secrets_digest: str
    created: str
    who: str = ""
    why: str = ""
    commit: str = ""
    confirmed: bool = False  # it was once confirmed in service
    pinned: bool = False
    rolled_back: bool = False  # left by a `rollback`, or gone past: no rollback returns to it
    place: int = 0  # in the history: its number, or that of the release it went back to
    material: str = ""  # `Material.source`; empty: a certificate the host made for itself
    certificate: CertificateFacts | None = None
    further: tuple[CertificateFacts, ...] = ()  # certificates beside it
    ech: tuple[EchFacts, ...] = ()
    sites: tuple[SitePart, ...] = ()

    @property
    def certificates(self) -> tuple[CertificateFacts, ...]:
        """All of them, the first one first."""
        return () if self.certificate is None else (self.certificate, *self.further)


@frozen
class Listener:
    """One address the daemon listens on, with its real port."""

    scheme: str
    address: str


@frozen
class DaemonState:
    """What the daemon says of itself; `running` false leaves the rest empty."""

    running: bool
    supervised: bool = False  # a live `zsops-host supervise` keeps it running
    pid: int | None = None
    version: str | None = None
    generation: int | None = None
    release: str | None = None
    release_digest: str | None = None
    site_digest: str | None = None
    started_at: str | None = None
    listeners: tuple[Listener, ...] = ()
    error: str | None = None  # why it is not running, or the last reload's failure
    draining: int = 0  # daemons that another has taken over from, and that finish their requests
    trouble: tuple[Trouble, ...] = ()


@frozen
class Lease:
    """The right to change a host, held until released or `ttl_s` after it was last used."""

    token: int  # fencing token: every later lease has a higher one
    who: str
    why: str
    taken_at: str
    age_s: float
    ttl_s: float
    run: str = ""
    pid: int | None = None  # of the operator, when it runs on this very host
    pid_started: int | None = None


@frozen
class QuarantinedRelease:
    """A release digest that failed here."""

    release_digest: str
    reason: str
    at: str
    material: str = ""  # the same site with another certificate may be good


@frozen
class Observation:
    """Everything a plan needs to know of one instance; read without a lease."""

    instance: str
    installed: bool
    phase: Phase = Phase.IDLE
    current: ReleaseInfo | None = None
    staged: ReleaseInfo | None = None  # the release a deployment in flight goes to
    last_good: str | None = None
    serial: int = 0  # number of the newest release ever made
    state_digest: str = (
        ""  # changes whenever a deployment changes the instance; a plan is bound to it
    )
    settings: InstanceSettings | None = None
    releases: tuple[ReleaseInfo, ...] = ()
    quarantine: tuple[QuarantinedRelease, ...] = ()
    daemon: DaemonState = DaemonState(running=False)
    lease: Lease | None = None
    hold: Held | None = None
    wall: str = ""  # the host's clock
    deadline_s: float | None = None  # seconds until a self-revert
    unsafe: str | None = None  # why this host needs a person
    drift: str | None = None  # what differs from what the journal says
    free_bytes: int = 0


@frozen
class HostedMember:
    """A file of a release on the host, from its member index. `sha256` is bare hex."""

    path: str
    size: int
    sha256: str


# -- lease ----------------------------------------------------------------------------------------


@frozen
class TakeLease:
    """Ask for the host. The same `run` asking again gets its own lease back (a resumed run)."""

    who: str
    why: str
    ttl_s: float
    run: str  # unique per zsops invocation
    pid: int | None = None  # operator process on this host: a lease of a dead process is void
    pid_started: int | None = None
    despite_hold: bool = False  # to go back, which a hold does not forbid


# -- stage ----------------------------------------------------------------------------------------


@frozen
class SealedFile:
    """One file, encrypted to this host: an age file, in base64."""

    path: str  # in the release directory: `tls/cert.pem`, `tls/key.pem`, `ech/NAME.pem`, or
    # `tls/more-NN-NAME.cert.pem` and `.key.pem` for certificates beside the first
    sealed: str = hidden()


@frozen
class Material:
    """Certificate, key and ECH keys of a release.

    `source` is a digest over the operator's own (encrypted) files: equal means unchanged, and
    tells nothing else. Without `files`: as the release in service has it, whose source it must be.
    """

    source: str
    files: tuple[SealedFile, ...] = ()


@frozen
class Stage:
    """Announce a release; the tar's bytes follow from the offset the host answers."""

    token: int
    instance: str
    release_digest: str
    site_digest: str
    size: int
    who: str = ""
    why: str = ""
    commit: str = ""
    retry_quarantined: bool = False
    extents: str = ""  # the tar's pieces (`extents.py`), so that only what is missing is sent
    material: Material | None = None  # None: the host makes a certificate for itself
    sites: tuple[SitePart, ...] = ()
    only_site: str | None = None  # the tar holds this one of several; all else stays as it is


@frozen
class StageOffset:
    """`offset` bytes of the tar are here; of the rest the `missing` (offset, size) must be sent."""

    offset: int
    missing: tuple[tuple[int, int], ...]


@frozen
class Staged:
    """A complete, checked release that `apply` can switch to."""

    release: ReleaseInfo
    received: int  # bytes that crossed the wire for it


@frozen
class PrepareRollback:
    """Stage a new release made of an older site and the secrets in service (rollback goes forward).

    `to` names a release; without it `steps` confirmed releases whose site differs from the one in
    service, and which were not themselves rolled back from, are stepped over (1 = the newest such).
    """

    token: int
    instance: str
    to: str | None = None
    steps: int = 1
    who: str = ""
    why: str = ""
    with_secrets: bool = False  # the older release's secrets, too
    site: str | None = None  # only this site goes back; the others stay as they are


@frozen
class PrepareRotation:
    """Stage a new release made of the site in service and new material."""

    token: int
    instance: str
    material: Material
    who: str = ""
    why: str = ""
    retry_quarantined: bool = False


@frozen
class RollbackStaged:
    """`source` is the release whose site the new one carries."""

    release: ReleaseInfo
    source: ReleaseInfo


# -- apply ----------------------------------------------------------------------------------------


@frozen
class StatusCheck:
    """One `checks:` entry of the configuration. Header names are lower case."""

    path: str
    status: tuple[int, ...] = (200,)
    body_contains: str | None = None
    header: tuple[tuple[str, str], ...] = ()
    host: str = ""  # to ask for; empty: the instance's first name


@frozen
class ContentCheck:
    """A changed member whose served body must hash to what the member index says (bare hex)."""

    path: str  # path below the site's root, no leading slash
    sha256: str
    size: int
    host: str = ""  # as in `StatusCheck`


@frozen
class HealthPolicy:
    """When a release counts as healthy: `successes` good rounds in a row within `timeout_s`."""

    successes: int = 2
    interval_s: float = 0.2
    timeout_s: float = 10.0  # for the whole of HEALTH
    probe_timeout_s: float = 3.0  # for one connection and its answer
    checks: tuple[StatusCheck, ...] = ()
    content: tuple[ContentCheck, ...] = ()  # at most CONTENT_CHECKS_MAX
    protocols: tuple[str, ...] = ("h2", "http/1.1")  # of PROTOCOLS; what TLS listeners must speak


#: By their names in ALPN.
PROTOCOLS = ("h2", "http/1.1")
# A round fetches each of them over its own TLS connection: more would make health checks slow
# without telling more.
CONTENT_CHECKS_MAX = 64


@frozen
class Apply:
    """Put the staged release into service: ARM, SWITCH, RELOAD, HEALTH. Resumes when repeated."""

    token: int
    instance: str
    release: str
    health: HealthPolicy = HealthPolicy()
    confirm_window_s: float = 60.0  # counted from the moment it is healthy
    reload_timeout_s: float = 30.0
    start_timeout_s: float = 20.0


@frozen
class Confirm:
    """Keep the release. Send it over a *fresh* session: that is the proof the host is reachable."""

    token: int
    instance: str
    release: str


@frozen
class Confirmed:
    """The host's committed state: `serving` is current *and* last good."""

    serving: str
    release_digest: str


@frozen
class Revert:
    """Go back to prev now instead of at the deadline."""

    token: int
    instance: str
    reason: str


# -- the daemon's version -------------------------------------------------------------------------


@frozen
class StageProgram:
    """Announce a wheel of the daemon; its bytes follow as those of a tar do."""

    token: int
    instance: str  # whose lease this is; the version is there for every instance
    version: str
    digest: str
    size: int
    who: str = ""
    why: str = ""


@frozen
class ProgramStaged:
    """The version is installed, and does not run yet."""

    version: str
    received: int  # bytes that crossed the wire for it


@frozen
class Upgrade:
    """Have an installed version take over from the daemon that runs. Repeating it is a no-op."""

    token: int
    instance: str
    version: str
    health: HealthPolicy = HealthPolicy()
    drain_s: float = 60.0  # what the old daemon gets to finish its requests
    start_timeout_s: float = 20.0
    who: str = ""
    why: str = ""


# -- afterwards -----------------------------------------------------------------------------------


@frozen
class AuditEntry:
    """One line of the host's hash-chained audit log."""

    seq: int
    at: str
    event: str  # `staged`, `armed`, …, `lease-taken`, `lease-broken`, `pruned`, `installed`
    instance: str
    who: str
    why: str
    release: str | None
    release_digest: str | None
    detail: str
    journal_seq: int | None
    chain: str  # SHA-256 over the line before and this one's content


@frozen
class AuditReport:
    """Result of walking the chain."""

    entries: int
    intact: bool
    torn_bytes: int  # an unfinished last line: power was lost while it was written; not tampering
    broken_line: int | None  # first line (from 1) that does not follow from the one before
    problem: str | None


@frozen
class Prune:
    """Drop old releases; never current, next, last good or pinned ones."""

    token: int
    instance: str
    keep: int
    dry_run: bool = False


@frozen
class Pruned:
    """Names of releases removed (or that would be), bytes freed, and versions of the daemon."""

    removed: tuple[str, ...]
    freed_bytes: int
    programs: tuple[str, ...] = ()


@frozen
class Pin:
    """Keep a release from being pruned, or stop keeping it."""

    token: int
    instance: str
    release: str
    pinned: bool = True
