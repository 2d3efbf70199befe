"""HEALTH: is the release really served? Asked on every listener, N times, each time anew.

A round is good when the probe path of each listener names the expected release digest, the
configured checks hold, and the bodies of changed members hash to what the member index says: a
status of 200 alone proves nothing about the bytes.
"""

from __future__ import annotations

import json

from zsops.errors import BadRequest
from zsops.frozen import frozen, replace
from zsops.host import layout, store
from zsops.host.codec import from_json
from zsops.host.effects import CandidateStatus, DaemonStatus, Fetch, Now, ReadFile, Sleep, Steps, do
from zsops.host.layout import InstancePaths
from zsops.host.messages import (
    CONTENT_CHECKS_MAX,
    ContentCheck,
    DaemonState,
    HealthPolicy,
    InstanceSettings,
    StatusCheck,
)
from zsops.host.upkeep import ProbeResult
from zsops.host.world import Fetched, Target

_PROBE_PREFIX = "/.zeroserve/probe/"


@frozen
class Verdict:
    """`problem` is None when healthy. `results`: of the last round; `answer`: the failing one."""

    problem: str | None
    summary: str = ""
    results: tuple[ProbeResult, ...] = ()
    answer: Fetched | None = None


@frozen
class _Finding:
    """One question and its answer. `problem` is None for a good one."""

    what: str
    expected: str
    got: str
    problem: str | None = None
    answer: Fetched | None = None

    @property
    def result(self) -> ProbeResult:
        return ProbeResult(self.what, self.expected, self.got, self.problem is None)


@frozen
class _Wanted:
    """What the probe path has to tell: the release, its certificate, and who serves it."""

    digest: str
    leaf: str | None
    pid: int | None


def settings(paths: InstancePaths) -> Steps[InstanceSettings]:
    """The instance's settings; install made the file before anything else could ask."""
    raw = yield from do(ReadFile(paths.settings))
    return from_json(InstanceSettings, json.loads(raw or b"{}"))


def judge(
    paths: InstancePaths,
    release: str,
    digest: str,
    policy: HealthPolicy,
    *,
    candidate: bool = False,
) -> Steps[Verdict]:
    """Rounds until `successes` good ones in a row, or `timeout_s` has passed.

    `candidate`: of the daemon that is to take over, at the door where it alone answers.
    """
    end = (yield from do(Now())) + policy.timeout_s
    good = 0
    while True:
        findings = yield from _round(paths, release, digest, policy, candidate)
        last = findings[-1]
        if last.problem is None:
            good += 1
            if good >= policy.successes:
                asked = len(findings)
                return Verdict(None, f"{asked}/{asked} probes ok, {good} rounds")
        else:
            good = 0
            if (yield from do(Now())) >= end:
                results = tuple(each.result for each in findings)
                return Verdict(last.problem, "", results, last.answer)
        yield from do(Sleep(policy.interval_s))


def _round(
    paths: InstancePaths, release: str, digest: str, policy: HealthPolicy, candidate: bool
) -> Steps[list[_Finding]]:
    """At least one finding; the first bad one is the last."""
    daemon = yield from do(CandidateStatus(paths.name) if candidate else DaemonStatus(paths.name))
    complaint = _of_daemon(daemon, release)
    if complaint is not None:
        return [_Finding("the daemon", f"serves {release}", complaint, complaint)]
    # A wildcard is asked for as one of the names it stands for.
    name = (yield from settings(paths)).names[0].replace("*", "www", 1)
    anchor = f"{paths.release(release)}/tls/cert.pem"
    targets = [Target(one.scheme, one.address, name, anchor) for one in daemon.listeners]
    certificate = (yield from store.origin(paths, release)).certificate
    leaf = None if certificate is None else certificate.leaf
    secret = ((yield from do(ReadFile(paths.probe_secret))) or b"").decode().strip()
    wanted = _Wanted(digest, leaf, daemon.pid)
    # Checks and content go where visitors go: the first TLS listener, if there is one.
    front = replace(next((t for t in targets if t.scheme == "https"), targets[0]), kept=True)
    timeout_s = policy.probe_timeout_s
    findings: list[_Finding] = []
    for asking in (
        *(_probe(target, secret, wanted, timeout_s) for target in targets),
        *(_check(front, check, timeout_s) for check in policy.checks),
        *(_content(front, content, timeout_s) for content in policy.content),
    ):
        findings.append((yield from asking))
        if findings[-1].problem is not None:
            break
    return findings


def _of_daemon(daemon: DaemonState, release: str) -> str | None:
    if not daemon.running:
        return f"the daemon is not running: {daemon.error or 'no reason known'}"
    if daemon.release != release:
        return f"the daemon serves {daemon.release}, expected {release}"
    return None if daemon.listeners else "the daemon listens nowhere"


def _probe(target: Target, secret: str, wanted: _Wanted, timeout_s: float) -> Steps[_Finding]:
    where = f"{target.scheme}://{target.address} (as `{target.name}`)"
    answer = yield from do(Fetch(target, f"{_PROBE_PREFIX}{secret}", timeout_s))
    expected = f"serves {_short(wanted.digest)}"
    leaf = wanted.leaf if target.scheme == "https" else None
    problem, got = _probe_complaint(answer, wanted)
    # The release's own chain verified it; another leaf of the same issuer would do that as well.
    if problem is None and leaf not in (None, answer.leaf):
        expected, got = f"certificate {(leaf or '')[:12]}…", f"certificate {answer.leaf[:12]}…"
        problem = f"shows {got}, the release has {(leaf or '')[:12]}…"
    if problem is None:
        return _Finding(where, expected, expected)
    return _Finding(where, expected, got, f"{where}: {problem}", answer)


def _probe_complaint(answer: Fetched, wanted: _Wanted) -> tuple[str | None, str]:
    """What is wrong with an answer of the probe path, and what came."""
    if answer.error is not None:
        return answer.error, answer.error
    if answer.status != 200:
        return f"the probe path answers {answer.status}", f"status {answer.status}"
    try:
        told = json.loads(answer.body)
        served, pid = str(told["release_digest"]), told["pid"]
    except (ValueError, KeyError, TypeError):
        return "the probe path's answer is no probe answer", "no probe answer"
    if served != wanted.digest:
        return f"serves {served}, expected {wanted.digest}", f"serves {_short(served)}"
    # While one daemon takes over from another both hold the sockets.
    if wanted.pid not in (None, pid):
        return f"process {pid} answers, expected {wanted.pid}", f"process {pid}"
    return None, ""


def _check(target: Target, check: StatusCheck, timeout_s: float) -> Steps[_Finding]:
    answer = yield from do(Fetch(_as(target, check.host), check.path, timeout_s))
    where = f"`{check.host}{check.path}`"
    wanted = " or ".join(str(status) for status in check.status)
    if answer.error is not None:
        return _Finding(where, wanted, answer.error, f"{where}: {answer.error}", answer)
    expected, got, problem = _compared(check, answer, wanted)
    if problem is None:
        return _Finding(where, expected, got)
    return _Finding(where, expected, got, f"{where}: {problem}", answer)


def _compared(check: StatusCheck, answer: Fetched, wanted: str) -> tuple[str, str, str | None]:
    """Expected, got, and what is wrong with that."""
    got = str(answer.status)
    if answer.status not in check.status:
        return wanted, got, f"status {got}, expected {wanted}"
    if check.body_contains is not None and check.body_contains.encode() not in answer.body:
        text = f"the body lacks `{check.body_contains}`"
        return f"{wanted}, a body with `{check.body_contains}`", f"{got}, a body without it", text
    have = {name.lower(): value for name, value in answer.headers}
    for name, value in check.header:
        if have.get(name) != value:
            shown = f"`{name}: {have[name]}`" if name in have else f"no `{name}`"
            text = f"header `{name}` is `{have.get(name, '')}`, expected `{value}`"
            return f"`{name}: {value}`", shown, text
    return wanted, got, None


def _content(target: Target, content: ContentCheck, timeout_s: float) -> Steps[_Finding]:
    from urllib.parse import quote

    path = "/" + quote(content.path)
    answer = yield from do(Fetch(_as(target, content.host), path, timeout_s))
    where = f"`{content.host}{path}`"
    expected, got = f"sha256 {content.sha256[:12]}…", f"sha256 {answer.sha256[:12]}…"
    problem = answer.error
    if problem is not None:
        got = problem
    elif answer.status != 200:
        expected, got = "200", str(answer.status)
        problem = f"status {answer.status}, expected 200"
    elif answer.sha256 != content.sha256:
        problem = f"the body hashes to {answer.sha256[:12]}…, expected {content.sha256[:12]}…"
    if problem is None:
        return _Finding(where, expected, got)
    return _Finding(where, expected, got, f"{where}: {problem}", answer)


def _short(digest: str) -> str:
    return f"{digest[:19]}…"


def _as(target: Target, host: str) -> Target:
    return replace(target, name=host) if host else target


def check_policy(policy: HealthPolicy) -> None:
    """`BadRequest` for a policy outside its bounds."""
    if len(policy.content) > CONTENT_CHECKS_MAX:
        raise BadRequest(
            f"{len(policy.content)} content checks, at most {CONTENT_CHECKS_MAX} are allowed"
        )
    if policy.successes < 1 or policy.timeout_s <= 0 or policy.interval_s < 0:
        raise BadRequest("a health policy needs `successes` ≥ 1 and a positive timeout")
    for content in policy.content:
        layout.bare(f"sha256:{content.sha256}")
