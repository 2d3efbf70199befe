"""Sessions with few rights: what a hostile one may ask for, and does not get.

A key that is pinned to an instance, and a login that runs `zsops-host` by sudo.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.deployment import SETTINGS

from zsops.errors import UnsafeDirectory
from zsops.frozen import replace
from zsops.host import calls, layout, upkeep
from zsops.host import messages as m
from zsops.host.codec import to_json
from zsops.host.frames import Descriptor, FrameReader, FrameWriter
from zsops.host.machine import Machine
from zsops.host.program import Complete
from zsops.host.rights import Rights, refuse_shared_root, rights_of
from zsops.host.serve import Session
from zsops.host.service import HostService

_DIGEST = f"sha256:{'0' * 64}"
PINNED = Rights(frozenset({"web"}), programs=False)
BLOG = Rights(frozenset({"blog"}), programs=False)
BY_SUDO = Rights(programs=False)
OWNER = Rights()
_LEASE = m.TakeLease("mallory", "", 60.0, "run-1")


@contextmanager
def _pipes() -> Iterator[tuple[int, int, int, int]]:
    ends = (*os.pipe(), *os.pipe())
    try:
        yield ends
    finally:
        for each in ends:
            try:
                os.close(each)
            except OSError:
                continue  # closed already, to end a session


def _said(root: Path, rights: Rights, call: str, body: object) -> dict[str, Any]:
    """What a session with these rights answers to one request."""
    with _pipes() as (asked, ask, hear, said):
        FrameWriter(ask, 5.0).send({"call": call, "body": body})
        os.close(ask)
        Session(Machine(root), asked, said, rights).run()
        answer = FrameReader(Descriptor(hear)).read()
    assert isinstance(answer, dict)
    return answer


def _answer(root: Path, rights: Rights, call: calls.Call[Any, Any], request: object) -> Any:
    """The answer, or the code of the refusal."""
    answer = _said(root, rights, call.name, to_json(request))
    return answer["error"]["code"] if "error" in answer else answer["answer"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with the instances `web` and `blog`."""
    for name, port in (("web", 18443), ("blog", 18444)):
        wish = replace(SETTINGS, tls_addresses=(f"127.0.0.1:{port}",))
        assert isinstance(_answer(tmp_path, OWNER, calls.INSTALL, m.Install(name, wish)), dict)
    return tmp_path


# -- programs ------------------------------------------------------------------------


@pytest.mark.parametrize("rights", [PINNED, BY_SUDO], ids=["pinned", "sudo"])
@pytest.mark.parametrize(
    "wish",
    [
        {"program": ("/bin/sh", "-c", "id")},
        {"flags": ("--access-log", "/etc/cron.d/zsops")},
        {"flags": ("--control", "/run/other.sock")},
    ],
)
def test_it_names_no_program_and_no_flags(root: Path, rights: Rights, wish: Any) -> None:
    before = (root / "i/web/instance.json").read_bytes()
    request = m.Install("web", replace(SETTINGS, **wish))
    assert _answer(root, rights, calls.INSTALL, request) == "out-of-scope"
    assert (root / "i/web/instance.json").read_bytes() == before


@pytest.mark.parametrize("rights", [PINNED, BY_SUDO], ids=["pinned", "sudo"])
def test_it_takes_the_owners_flags_not_away(root: Path, rights: Rights) -> None:
    strict = replace(SETTINGS, flags=("--require-signature",))
    assert _answer(root, OWNER, calls.INSTALL, m.Install("web", strict))["changed"]
    request = m.Install("web", replace(SETTINGS, names=("acme.org",)))
    assert _answer(root, rights, calls.INSTALL, request) == "out-of-scope"
    kept = m.Install("web", replace(strict, names=("acme.org",)))
    assert _answer(root, rights, calls.INSTALL, kept)["changed"]


@pytest.mark.parametrize("rights", [PINNED, BY_SUDO], ids=["pinned", "sudo"])
def test_it_brings_no_version_of_the_daemon_but_what_the_owner_let_in(
    root: Path, rights: Rights
) -> None:
    request = m.StageProgram(1, "web", "7.0.0", _DIGEST, 3)
    assert _answer(root, rights, calls.STAGE_PROGRAM, request) == "out-of-scope"
    _service(root).allow_wheels([_DIGEST])
    # It is let in now: the lease is what is missing.
    assert _answer(root, rights, calls.STAGE_PROGRAM, request) == "stale-token"
    other = replace(request, digest=f"sha256:{'1' * 64}")
    assert _answer(root, rights, calls.STAGE_PROGRAM, other) == "out-of-scope"
    home = root / layout.program("7.0.0")
    home.mkdir(parents=True)
    (home / "complete.json").write_text(json.dumps(to_json(Complete("7.0.0", other.digest))))
    # One that is there already is not brought.
    assert _answer(root, rights, calls.STAGE_PROGRAM, other) == "stale-token"


def _service(root: Path) -> HostService:
    return HostService(Machine(root), str(root))


def test_whose_rights_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert rights_of(frozenset(), {}) == OWNER
    assert rights_of(frozenset(), {"SUDO_UID": "0"}) == OWNER
    assert rights_of(frozenset(), {"SUDO_UID": "1000"}) == BY_SUDO
    assert rights_of(frozenset({"web"}), {}) == PINNED


# -- other instances -----------------------------------------------------------------

_POLICY = m.HealthPolicy()
_HOSTILE: list[tuple[calls.Call[Any, Any], object]] = [
    (calls.INSTALL, m.Install("blog", SETTINGS)),
    (calls.OBSERVE, calls.OfInstance("blog")),
    (calls.MEMBERS, calls.OfRelease("blog", "000000-0000")),
    (calls.STAGE, m.Stage(1, "blog", _DIGEST, _DIGEST, 1)),
    (calls.APPLY, m.Apply(1, "blog", "000001-0000")),
    (calls.CONFIRM, m.Confirm(1, "blog", "000001-0000")),
    (calls.REVERT, m.Revert(1, "blog", "")),
    (calls.PREPARE_ROLLBACK, m.PrepareRollback(1, "blog")),
    (calls.PREPARE_ROTATION, m.PrepareRotation(1, "blog", m.Material(_DIGEST))),
    (calls.HISTORY, calls.History("blog", 9)),
    (calls.PRUNE, m.Prune(1, "blog", 1)),
    (calls.PIN, m.Pin(1, "blog", "000000-0000")),
    (calls.DAEMON_STATUS, calls.OfInstance("blog")),
    (calls.START_DAEMON, calls.OfInstance("blog")),
    (calls.STOP_DAEMON, calls.OfInstance("blog")),
    (calls.RELOAD_DAEMON, calls.OfInstance("blog")),
    (calls.STAGE_PROGRAM, m.StageProgram(1, "blog", "7.0.0", _DIGEST, 1)),
    (calls.UPGRADE, m.Upgrade(1, "blog", "7.0.0")),
    (calls.READ_LOG, upkeep.ReadLog("blog", upkeep.Log.ACCESS)),
    (calls.EVIDENCE, calls.OfInstance("blog")),
    (calls.HEAL, upkeep.Heal(1, "blog")),
    (calls.BREAK_LEASE, calls.BreakLease("mallory", "")),
    (calls.HOLD, upkeep.Hold("mallory", "")),
    (calls.LIFT_HOLD, calls.LiftHold("mallory", "")),
]
#: For the whole host, and of no harm.
_HARMLESS = {
    calls.HELLO.name, calls.TAKE_LEASE.name, calls.RELEASE_LEASE.name, calls.RECIPIENTS.name,
    calls.AUDIT_VERIFY.name, calls.FACTS.name,
}  # fmt: skip


def test_every_call_is_judged_here() -> None:
    assert {call.name for call, _ in _HOSTILE} | _HARMLESS == set(calls.BY_NAME)


@pytest.mark.parametrize(("call", "request_"), _HOSTILE, ids=lambda each: getattr(each, "name", ""))
def test_a_pinned_key_reaches_no_other_instance(root: Path, call: Any, request_: object) -> None:
    before = _tree(root)
    assert _answer(root, PINNED, call, request_) == "out-of-scope"
    assert _tree(root) == before


def _tree(root: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in root.rglob("*") if each.is_file()}


def test_a_pinned_key_is_told_of_its_own_instances_only(root: Path) -> None:
    greeting = calls.Greeting(m.PROTOCOL_OLDEST, m.PROTOCOL_VERSION)
    assert _answer(root, PINNED, calls.HELLO, greeting)["instances"] == ["web"]
    assert _answer(root, OWNER, calls.HELLO, greeting)["instances"] == ["blog", "web"]


@pytest.mark.parametrize("address", ["127.0.0.1:18444", ":18444", "0.0.0.0:18444"])
def test_a_pinned_key_takes_no_address_of_another_instance(root: Path, address: str) -> None:
    for wish in (
        replace(SETTINGS, tls_addresses=(address,)),
        replace(SETTINGS, addresses=(address,)),
    ):
        request = m.Install("web", wish)
        assert _answer(root, PINNED, calls.INSTALL, request) == "out-of-scope"
    free = replace(SETTINGS, tls_addresses=("127.0.0.1:18445", "127.0.0.2:18444"))
    assert _answer(root, PINNED, calls.INSTALL, m.Install("web", free))["changed"]


@pytest.mark.parametrize("rights", [OWNER, PINNED, BY_SUDO], ids=["owner", "pinned", "sudo"])
@pytest.mark.parametrize(
    "wish",
    [
        {"tls_addresses": ("unix:/run/other.sock",)},
        {"addresses": ("fd:3",)},
        {"tls_addresses": ("localhost:443",)},
        {"tls_addresses": ("127.0.0.1:65536",)},
        {"log_format": "--control=/run/other.sock"},
        {"names": ("web\nmallory",)},
        {"names": ("--flag",)},
        {"names": ("",)},
        {"names": ("a",) * 1001},
    ],
)
def test_settings_that_mean_something_else_are_refused(
    root: Path, rights: Rights, wish: Any
) -> None:
    before = (root / "i/web/instance.json").read_bytes()
    request = m.Install("web", replace(SETTINGS, **wish))
    assert _answer(root, rights, calls.INSTALL, request) == "bad-request"
    assert (root / "i/web/instance.json").read_bytes() == before


@pytest.mark.parametrize("name", ["../web", "web/../blog", "web\0", "", "Web", "web/"])
def test_a_name_that_is_a_path_is_none(root: Path, name: str) -> None:
    for rights, code in ((PINNED, "out-of-scope"), (OWNER, "bad-request")):
        assert _answer(root, rights, calls.OBSERVE, calls.OfInstance(name)) == code


@pytest.mark.parametrize("release", ["../../blog/releases/000000-0000", "current", "000000-zzzz"])
def test_a_release_that_is_a_path_is_none(root: Path, release: str) -> None:
    request = calls.OfRelease("web", release)
    assert _answer(root, PINNED, calls.MEMBERS, request) == "bad-request"


# -- leases and holds ----------------------------------------------------------------


@pytest.mark.parametrize("other", [OWNER, BLOG], ids=["owner", "blog"])
def test_a_pinned_key_uses_and_ends_no_lease_but_its_own(root: Path, other: Rights) -> None:
    token = _answer(root, other, calls.TAKE_LEASE, _LEASE)["token"]
    assert _answer(root, PINNED, calls.RELEASE_LEASE, calls.OfToken(token)) == "out-of-scope"
    # The run's name is shown to everybody who asks; it gives nobody the lease.
    assert _answer(root, PINNED, calls.TAKE_LEASE, _LEASE) == "lock-held"
    for call, request in (
        (calls.STAGE, m.Stage(token, "web", _DIGEST, _DIGEST, 1)),
        (calls.REVERT, m.Revert(token, "web", "")),
        (calls.PRUNE, m.Prune(token, "web", 0)),
    ):
        assert _answer(root, PINNED, call, request) == "out-of-scope"
    assert _answer(root, other, calls.RELEASE_LEASE, calls.OfToken(token)) == {}


def test_its_own_lease_is_its_own_over_several_sessions(root: Path) -> None:
    token = _answer(root, PINNED, calls.TAKE_LEASE, _LEASE)["token"]
    assert _answer(root, PINNED, calls.TAKE_LEASE, _LEASE)["token"] == token
    assert _answer(root, PINNED, calls.PRUNE, m.Prune(token, "web", 1))["removed"] == []
    assert _answer(root, PINNED, calls.RELEASE_LEASE, calls.OfToken(token)) == {}
    # The owner's after it is not taken for pinned.
    token = _answer(root, OWNER, calls.TAKE_LEASE, _LEASE)["token"]
    assert _answer(root, OWNER, calls.PRUNE, m.Prune(token, "blog", 1))["removed"] == []


def test_a_paused_host_lets_nobody_deploy_who_says_he_goes_back(root: Path) -> None:
    assert isinstance(_answer(root, OWNER, calls.HOLD, upkeep.Hold("ana", "fair")), dict)
    token = _answer(root, PINNED, calls.TAKE_LEASE, replace(_LEASE, despite_hold=True))["token"]
    request = m.Stage(token, "web", _DIGEST, _DIGEST, 1)
    assert _answer(root, PINNED, calls.STAGE, request) == "paused"
    back = m.PrepareRollback(token, "web")
    assert _answer(root, PINNED, calls.PREPARE_ROLLBACK, back) == "no-such-release"


# -- numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400])
@pytest.mark.parametrize("field", ["ttl_s"])
def test_a_time_that_never_comes_is_no_time(root: Path, field: str, value: float) -> None:
    body = to_json(_LEASE)
    assert isinstance(body, dict)
    said = _said(root, PINNED, calls.TAKE_LEASE.name, {**body, field: value})
    assert said["error"]["code"] == "protocol"


@pytest.mark.parametrize(
    "wish",
    [
        {"reload_timeout_s": 1e9},
        {"reload_timeout_s": 0.0},
        {"start_timeout_s": 1e9},
        {"confirm_window_s": -1.0},
        {"confirm_window_s": 1e9},
        {"health": m.HealthPolicy(timeout_s=1e9)},
        {"health": m.HealthPolicy(probe_timeout_s=1e9)},
    ],
)
def test_nobody_holds_the_hosts_lock_for_days(root: Path, wish: Any) -> None:
    request = replace(m.Apply(1, "web", "000001-0000"), **wish)
    assert _answer(root, PINNED, calls.APPLY, request) == "bad-request"


def test_what_is_sent_has_a_size(root: Path) -> None:
    token = _answer(root, PINNED, calls.TAKE_LEASE, _LEASE)["token"]
    for size in (0, -(1 << 70)):
        request = m.Stage(token, "web", _DIGEST, _DIGEST, size)
        assert _answer(root, PINNED, calls.STAGE, request) == "bad-request"


# -- the root under sudo ---------------------------------------------------------------


def test_a_root_that_others_can_write_is_not_used_under_sudo(tmp_path: Path) -> None:
    root = tmp_path / "home" / "root"
    root.mkdir(parents=True, mode=0o750)
    (tmp_path / "home").chmod(0o755)
    refuse_shared_root(root)
    root.chmod(0o770)
    with pytest.raises(UnsafeDirectory, match="mode 0770"):
        refuse_shared_root(root)
    root.chmod(0o750)
    (tmp_path / "home").chmod(0o757)
    with pytest.raises(UnsafeDirectory, match="mode 0757"):
        refuse_shared_root(root)
    link = tmp_path / "link"
    link.symlink_to(root)
    with pytest.raises(UnsafeDirectory, match="can be changed by others"):
        refuse_shared_root(link)


def test_a_root_that_is_somebody_elses_is_not_used_under_sudo(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives a directory away")
    root = tmp_path / "root"
    root.mkdir()
    os.chown(root, 1000, 1000)
    with pytest.raises(UnsafeDirectory, match="uid 1000"):
        refuse_shared_root(root)
