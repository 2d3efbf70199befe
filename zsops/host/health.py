"""HEALTH: is the release really served? Asked over new connections, on every listener, N times.

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
from zsops.host.world import Fetched, Target

_PROBE_PREFIX = "/.zeroserve/probe/"
_EVIDENCE_BODY_BYTES = 4096


@frozen
class Verdict:
    """`problem` is None when healthy; `evidence` is the failing response, for people."""

    problem: str | None
    summary: str = ""
    evidence: str | None = None


@frozen
class _Failure:
    problem: str
    path: str
    answer: Fetched | None = None


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
    good, checked = 0, 0
    while True:
        failure, checked = yield from _round(paths, release, digest, policy, candidate)
        if failure is None:
            good += 1
            if good >= policy.successes:
                return Verdict(None, f"{checked}/{checked} probes ok, {good} rounds")
        else:
            good = 0
            if (yield from do(Now())) >= end:
                return Verdict(failure.problem, "", _evidence(failure))
        yield from do(Sleep(policy.interval_s))


def _round(
    paths: InstancePaths, release: str, digest: str, policy: HealthPolicy, candidate: bool
) -> Steps[tuple[_Failure | None, int]]:
    daemon = yield from do(CandidateStatus(paths.name) if candidate else DaemonStatus(paths.name))
    complaint = _of_daemon(daemon, release)
    if complaint is not None:
        return _Failure(complaint, "(status)"), 0
    # A wildcard is asked for as one of the names it stands for.
    name = (yield from settings(paths)).names[0].replace("*", "www", 1)
    anchor = f"{paths.release(release)}/tls/cert.pem"
    targets = [Target(one.scheme, one.address, name, anchor) for one in daemon.listeners]
    certificate = (yield from store.origin(paths, release)).certificate
    leaf = None if certificate is None else certificate.leaf
    secret = ((yield from do(ReadFile(paths.probe_secret))) or b"").decode().strip()
    wanted = _Wanted(digest, leaf, daemon.pid)
    checked = 0
    for target in targets:
        failure = yield from _probe(target, secret, wanted, policy.probe_timeout_s)
        if failure is not None:
            return failure, checked
        checked += 1
    # Checks and content go where visitors go: the first TLS listener, if there is one.
    front = next((t for t in targets if t.scheme == "https"), targets[0])
    for check in policy.checks:
        failure = yield from _check(front, check, policy.probe_timeout_s)
        if failure is not None:
            return failure, checked
        checked += 1
    for content in policy.content:
        failure = yield from _content(front, content, policy.probe_timeout_s)
        if failure is not None:
            return failure, checked
        checked += 1
    return None, checked


def _of_daemon(daemon: DaemonState, release: str) -> str | None:
    if not daemon.running:
        return f"the daemon is not running: {daemon.error or 'no reason known'}"
    if daemon.release != release:
        return f"the daemon serves {daemon.release}, expected {release}"
    return None if daemon.listeners else "the daemon listens nowhere"


def _probe(
    target: Target, secret: str, wanted: _Wanted, timeout_s: float
) -> Steps[_Failure | None]:
    where = f"{target.scheme}://{target.address} (as `{target.name}`)"
    answer = yield from do(Fetch(target, f"{_PROBE_PREFIX}{secret}", timeout_s))
    shown = f"{_PROBE_PREFIX}…"  # the secret stays out of evidence and logs
    problem = answer.error or _probe_complaint(answer, wanted)
    # The release's own chain verified it; another leaf of the same issuer would do that as well.
    if problem is None and target.scheme == "https" and wanted.leaf not in (None, answer.leaf):
        have, lacks = answer.leaf[:12], (wanted.leaf or "")[:12]
        problem = f"shows certificate {have}…, the release has {lacks}…"
    return None if problem is None else _Failure(f"{where}: {problem}", shown, answer)


def _probe_complaint(answer: Fetched, wanted: _Wanted) -> str | None:
    if answer.status != 200:
        return f"the probe path answers {answer.status}"
    try:
        told = json.loads(answer.body)
        served, pid = told["release_digest"], told["pid"]
    except (ValueError, KeyError, TypeError):
        return "the probe path's answer is no probe answer"
    if served != wanted.digest:
        return f"serves {served}, expected {wanted.digest}"
    # While one daemon takes over from another both hold the sockets.
    if wanted.pid not in (None, pid):
        return f"process {pid} answers, expected {wanted.pid}"
    return None


def _check(target: Target, check: StatusCheck, timeout_s: float) -> Steps[_Failure | None]:
    answer = yield from do(Fetch(_as(target, check.host), check.path, timeout_s))
    problem = answer.error or _complaint(check, answer)
    where = f"`{check.host}{check.path}`"
    return None if problem is None else _Failure(f"{where}: {problem}", check.path, answer)


def _complaint(check: StatusCheck, answer: Fetched) -> str | None:
    if answer.status not in check.status:
        wanted = " or ".join(str(status) for status in check.status)
        return f"status {answer.status}, expected {wanted}"
    if check.body_contains is not None and check.body_contains.encode() not in answer.body:
        return f"the body lacks `{check.body_contains}`"
    have = {name.lower(): value for name, value in answer.headers}
    for name, value in check.header:
        if have.get(name) != value:
            return f"header `{name}` is `{have.get(name, '')}`, expected `{value}`"
    return None


def _content(target: Target, content: ContentCheck, timeout_s: float) -> Steps[_Failure | None]:
    from urllib.parse import quote

    path = "/" + quote(content.path)
    answer = yield from do(Fetch(_as(target, content.host), path, timeout_s))
    problem = answer.error
    if problem is None and answer.status != 200:
        problem = f"status {answer.status}, expected 200"
    if problem is None and answer.sha256 != content.sha256:
        problem = f"the body hashes to {answer.sha256[:12]}…, expected {content.sha256[:12]}…"
    where = f"`{content.host}{path}`"
    return None if problem is None else _Failure(f"{where}: {problem}", path, answer)


def _as(target: Target, host: str) -> Target:
    return replace(target, name=host) if host else target


def _evidence(failure: _Failure) -> str:
    answer = failure.answer or Fetched()
    return json.dumps(
        {
            "problem": failure.problem,
            "path": failure.path,
            "status": answer.status,
            "headers": [list(pair) for pair in answer.headers],
            "body": answer.body[:_EVIDENCE_BODY_BYTES].decode("utf-8", "replace"),
            "error": answer.error,
        },
        indent=1,
    )


def evidence_path(paths: InstancePaths, release: str) -> str:
    """Where a release keeps its failing response."""
    return f"{paths.release(release)}/evidence.json"


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
