"""Names under the host's root, in one place; all relative, with `/`."""

from __future__ import annotations

import re

from zsops.errors import BadRequest
from zsops.frozen import frozen

LOCK = "lock"
LEASE = "lease.json"
LEASE_TERMS = "lease-terms.json"
#: Wheels that a session may bring which may not bring any.
WHEELS = "wheels.json"
HOLD = "hold.json"
#: The host's own age identity (0600): what operators encrypt to, unless they name another key.
IDENTITY = "identity.age"
AUDIT = "audit.jsonl"
INCOMING = "incoming"
BLOBS = "blobs/sha256"
INSTANCES = "i"
#: Versions of the daemon, each in a virtual environment of its own.
PROGRAMS = "opt/zeroserve"

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!]{0,63}")
_RELEASE = re.compile(r"(\d{6})-[0-9a-f]{4}")


def bare(digest: str) -> str:
    """The hex of a `sha256:…` digest; `BadRequest` for anything else."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise BadRequest(f"`{digest}` is not a sha256 digest")
    return match[1]


def blob(digest: str) -> str:
    """Where the bytes with this digest live."""
    digits = bare(digest)
    return f"{BLOBS}/{digits[:2]}/{digits}"


def part(digest: str) -> str:
    """Where an upload of these bytes collects until it is complete."""
    return f"{INCOMING}/{bare(digest)}.part"


def program(version: str) -> str:
    """Where a version of the daemon is installed; `BadRequest` for no version (PEP 440)."""
    if _VERSION.fullmatch(version) is None:
        raise BadRequest(f"`{version}` is not a version", hint="they look like `0.4.2`")
    return f"{PROGRAMS}/{version}"


def is_version(name: str) -> bool:
    """Whether a directory under `PROGRAMS` is one of ours."""
    return _VERSION.fullmatch(name) is not None


def release_name(number: int, site_digest: str) -> str:
    """`000042-3fa9`."""
    return f"{number:06d}-{bare(site_digest)[:4]}"


def release_number(release: str) -> int:
    """The number in a release name; `BadRequest` when it is none."""
    match = _RELEASE.fullmatch(release)
    if match is None:
        raise BadRequest(f"`{release}` is not a release name", hint="they look like `000042-3fa9`")
    return int(match[1])


def is_release_name(name: str) -> bool:
    """Whether a directory under `releases/` is a finished release."""
    return _RELEASE.fullmatch(name) is not None


@frozen
class InstancePaths:
    """The files of one instance."""

    name: str

    def __post_init__(self) -> None:
        if _INSTANCE.fullmatch(self.name) is None:
            raise BadRequest(
                f"`{self.name}` is not an instance name",
                hint="use a-z, 0-9 and `-`, at most 32 characters",
            )

    @property
    def home(self) -> str:
        return f"{INSTANCES}/{self.name}"

    @property
    def releases(self) -> str:
        return f"{self.home}/releases"

    @property
    def current(self) -> str:
        return f"{self.home}/current"

    @property
    def next_link(self) -> str:
        """Made by STAGE, renamed over `current` by SWITCH: switching needs no free space."""
        return f"{self.home}/next.link"

    @property
    def prev_link(self) -> str:
        """Made by STAGE, renamed over `current` by REVERT."""
        return f"{self.home}/prev.link"

    @property
    def journal(self) -> str:
        return f"{self.home}/state"

    @property
    def settings(self) -> str:
        return f"{self.home}/instance.json"

    @property
    def program(self) -> str:
        """Which version of the daemon runs; absent: that of the installation."""
        return f"{self.home}/program.json"

    @property
    def quarantine(self) -> str:
        return f"{self.home}/quarantine.json"

    @property
    def pins(self) -> str:
        return f"{self.home}/pins.json"

    @property
    def secrets(self) -> str:
        return f"{self.home}/secrets"

    @property
    def probe_secret(self) -> str:
        return f"{self.secrets}/probe"

    @property
    def log(self) -> str:
        return f"{self.home}/log"

    @property
    def run(self) -> str:
        """Process records and sockets; nothing in it is worth anything after a reboot."""
        return f"{self.home}/run"

    def release(self, name: str) -> str:
        """A release's directory. The name is checked: it may come from the network."""
        release_number(name)
        return f"{self.releases}/{name}"

    def link_target(self, name: str) -> str:
        """What a link beside `current` says to mean this release."""
        return f"releases/{name}"
