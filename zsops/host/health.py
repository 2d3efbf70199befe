"""HEALTH: is the release really served? Asked on every listener, N times, each time anew.

A round is good when the probe path of each listener names the expected release digest, with TLS
over every protocol that is asked for, the configured checks hold, and (in the first of several) the
bodies of changed members hash to what the member index says: a status of 200 alone proves nothing
about the bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from zsops.errors import BadRequest
from zsops.frozen import frozen, replace
from zsops.host import compare, layout, material, store
from zsops.host.codec import from_json
from zsops.host.effects import CandidateStatus, DaemonStatus, Fetch, Now, ReadFile, Sleep, Steps, do
from zsops.host.layout import InstancePaths
from zsops.host.messages import (
    CONTENT_CHECKS_MAX,
    PROTOCOLS,
    CertificateFacts,
    ContentCheck,
    DaemonState,
    HealthPolicy,
    InstanceSettings,
    Listener,
    StatusCheck,
)
from zsops.host.names import covering, own_name
from zsops.host.upkeep import ProbeResult
from zsops.host.world import Fetched, Target

#: For whatever a request may have the host wait for.
TIMEOUT_S_MAX = 3600.0
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
    leaves: tuple[str, ...]
    pid: int | None


@frozen
class _Shown:
    """A certificate of the release, and its file: what is shown has to verify against it."""

    facts: CertificateFacts
    anchor: str


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
    # Bytes that were right once stay so while the same release is served, which the probe path of
    # every round tells: to fetch a site's files again and again is most of what a check costs.
    again = replace(policy, content=())
    good = asked = 0
    while True:
        findings = yield from _round(paths, release, digest, again if good else policy, candidate)
        last = findings[-1]
        if last.problem is None:
            good += 1
            asked = max(asked, len(findings))
            if good >= policy.successes:
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
    certificates = yield from _certificates(paths, release)
    facts = [each.facts for each in certificates]
    secret = ((yield from do(ReadFile(paths.probe_secret))) or b"").decode().strip()
    # Checks and content go where visitors go: the first TLS listener, if there is one.
    front = next((one for one in daemon.listeners if one.scheme == "https"), daemon.listeners[0])
    timeout_s = policy.probe_timeout_s

    # The one that most of the questions go over; a plain listener has only HTTP/1.1.
    main = "http/1.1" if "http/1.1" in policy.protocols else "h2"

    def door(listener: Listener, asked: str, *, kept: bool = False, protocol: str = main) -> Target:
        http2 = protocol == "h2" and listener.scheme == "https"
        return replace(_target(listener, asked or name, certificates), kept=kept, http2=http2)

    def wanted(asked: str) -> _Wanted:
        return _Wanted(digest, tuple(e.leaf for e in covering(facts, asked) if e.leaf), daemon.pid)

    names = [(one, each) for one in daemon.listeners for each in _names(one, name, facts)]
    # In the other ones each TLS listener is asked, and for a changed file.
    tls = [one for one in daemon.listeners if one.scheme == "https"]
    others = [each for each in policy.protocols if each != main]
    again = [door(one, name, protocol=each) for one in tls for each in others]
    few = policy.content[:1] if front.scheme == "https" else ()
    findings: list[_Finding] = []
    for asking in (
        *(_probe(door(one, each), secret, wanted(each), timeout_s) for one, each in names),
        *(_probe(each, secret, wanted(name), timeout_s) for each in again),
        *(_check(door(front, e.host, kept=True), e, timeout_s) for e in policy.checks),
        *(_content(door(front, e.host, kept=True), e, timeout_s) for e in policy.content),
        *(
            _content(door(front, e.host, protocol=other), e, timeout_s)
            for other in others
            for e in few
        ),
    ):
        findings.append((yield from asking))
        if findings[-1].problem is not None:
            break
    return findings


def _names(listener: Listener, name: str, facts: Sequence[CertificateFacts]) -> list[str]:
    """Whom to ask a listener for: each of several certificates by a name that only it is for."""
    if listener.scheme != "https" or len(facts) < 2:
        return [name]
    own = (own_name(facts, each) for each in facts)
    return list(dict.fromkeys([name, *(each for each in own if each is not None)]))


def _certificates(paths: InstancePaths, release: str) -> Steps[tuple[_Shown, ...]]:
    home = paths.release(release)
    origin = yield from store.origin(paths, release)
    files = [f"{home}/{path}" for _, path in (yield from material.further(home))]
    first = origin.certificate or CertificateFacts("", (), "", "", "")
    shown = _Shown(first, f"{home}/{material.CERT}")
    return (shown, *(_Shown(*each) for each in zip(origin.further, files, strict=False)))


def _target(listener: Listener, name: str, certificates: Sequence[_Shown]) -> Target:
    """To ask under a name: whichever certificate is for it may be shown."""
    fit = covering([each.facts for each in certificates], name) or (certificates[0].facts,)
    anchors = tuple(each.anchor for each in certificates if each.facts in fit)
    return Target(listener.scheme, listener.address, name, anchors)


def _of_daemon(daemon: DaemonState, release: str) -> str | None:
    if not daemon.running:
        return f"the daemon is not running: {daemon.error or 'no reason known'}"
    if daemon.release != release:
        return f"the daemon serves {daemon.release}, expected {release}"
    return None if daemon.listeners else "the daemon listens nowhere"


def _probe(target: Target, secret: str, wanted: _Wanted, timeout_s: float) -> Steps[_Finding]:
    spoken = ", HTTP/2" if target.http2 else ""
    where = f"{target.scheme}://{target.address} (as `{target.name}`{spoken})"
    answer = yield from do(Fetch(target, f"{_PROBE_PREFIX}{secret}", timeout_s))
    expected = f"serves {_short(wanted.digest)}"
    leaves = wanted.leaves if target.scheme == "https" else ()
    problem, got = _probe_complaint(answer, wanted)
    # The release's own chain verified it; another leaf of the same issuer would do that as well.
    if problem is None and leaves and answer.leaf not in leaves:
        expected, got = f"certificate {leaves[0][:12]}…", f"certificate {answer.leaf[:12]}…"
        problem = f"shows {got}, the release has {leaves[0][:12]}…"
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
    answer = yield from do(Fetch(target, check.path, timeout_s))
    where = f"`{check.host}{compare.shown(check.path)}`{_over(target)}"
    if answer.error is not None:
        return _unanswered(where, compare.statuses(check), answer)
    return _judged(where, compare.with_check(check, answer), answer)


def _content(target: Target, content: ContentCheck, timeout_s: float) -> Steps[_Finding]:
    from urllib.parse import quote

    path = "/" + quote(content.path)
    answer = yield from do(Fetch(target, path, timeout_s))
    where = f"`{content.host}{path}`{_over(target)}"
    if answer.error is not None:
        return _unanswered(where, f"sha256 {content.sha256[:12]}…", answer)
    return _judged(where, compare.with_content(content, answer), answer)


def _over(target: Target) -> str:
    return " over HTTP/2" if target.http2 else ""


def _unanswered(where: str, wanted: str, answer: Fetched) -> _Finding:
    return _Finding(where, wanted, answer.error or "", f"{where}: {answer.error}", answer)


def _judged(where: str, found: compare.Compared, answer: Fetched) -> _Finding:
    if found.problem is None:
        return _Finding(where, found.expected, found.got)
    return _Finding(where, found.expected, found.got, f"{where}: {found.problem}", answer)


def _short(digest: str) -> str:
    return f"{digest[:19]}…"


def check_policy(policy: HealthPolicy) -> None:
    """`BadRequest` for a policy outside its bounds."""
    if len(policy.content) > CONTENT_CHECKS_MAX:
        raise BadRequest(
            f"{len(policy.content)} content checks, at most {CONTENT_CHECKS_MAX} are allowed"
        )
    if policy.successes < 1 or policy.timeout_s <= 0 or policy.interval_s < 0:
        raise BadRequest("a health policy needs `successes` ≥ 1 and a positive timeout")
    # The host is locked meanwhile, for every instance of it.
    if policy.timeout_s > TIMEOUT_S_MAX or not 0 < policy.probe_timeout_s <= TIMEOUT_S_MAX:
        raise BadRequest(f"a health check ends within {TIMEOUT_S_MAX:g} s")
    if not policy.protocols or not set(policy.protocols) <= set(PROTOCOLS):
        raise BadRequest(f"a health policy asks over {' and '.join(PROTOCOLS)}, or one of them")
    for content in policy.content:
        layout.bare(f"sha256:{content.sha256}")
