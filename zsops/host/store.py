"""Releases and blobs: immutable bytes named by their hash, linked into one directory a release."""

from __future__ import annotations

import json

from zsops.errors import NoSuchRelease, ProtocolMismatch, ReleaseRefused
from zsops.frozen import frozen, replace
from zsops.host import layout, material
from zsops.host.codec import from_json, to_json
from zsops.host.effects import (
    CheckRelease,
    Fsync,
    HardLink,
    HashFile,
    ListDir,
    MakeDir,
    ReadFile,
    ReadLink,
    Rename,
    Steps,
    Symlink,
    Unlink,
    WallTime,
    WriteFile,
    do,
    remove_tree,
    write_durably,
)
from zsops.host.layout import InstancePaths
from zsops.host.messages import (
    CertificateFacts,
    EchFacts,
    QuarantinedRelease,
    ReleaseInfo,
    SitePart,
)
from zsops.host.world import PublicFacts


@frozen
class Manifest:
    """`manifest.json` of a release; the daemon reads it too."""

    v: int
    release: str
    release_digest: str
    site_digest: str
    size: int
    secrets_digest: str
    created: str


@frozen
class Origin:
    """`origin.json` of a release: where it comes from. Ours alone."""

    who: str = ""
    why: str = ""
    commit: str = ""
    source: str | None = None  # for a rollback: the release whose site this is
    rollback_from: str | None = None  # for a rollback: the release left by it
    only_site: str | None = None  # the one site of several that was deployed, or went back
    material: str = ""  # `Material.source`
    certificate: CertificateFacts | None = None
    further: tuple[CertificateFacts, ...] = ()
    ech: tuple[EchFacts, ...] = ()
    sites: tuple[SitePart, ...] = ()

    @property
    def told(self) -> str:
        """What its release brings, for the history: one of several sites, or all of them."""
        if self.only_site is not None:
            as_in = f" as in {self.source}" if self.source is not None else ""
            return f"site {self.only_site}{as_in}"
        names = [each.name for each in self.sites]
        return f"sites {', '.join(names)}" if len(names) > 1 else ""


@frozen
class Bytes:
    """A tar in the blob store."""

    release_digest: str
    site_digest: str
    size: int


@frozen
class Quarantine:
    """`quarantine.json`."""

    releases: tuple[QuarantinedRelease, ...] = ()


@frozen
class Pins:
    """`pins.json`."""

    releases: tuple[str, ...] = ()


# -- releases ------------------------------------------------------------------------


def names(paths: InstancePaths) -> Steps[tuple[str, ...]]:
    """Names of the finished releases, oldest first."""
    found = yield from do(ListDir(paths.releases))
    return tuple(name for name in found if layout.is_release_name(name))


def manifest(paths: InstancePaths, release: str) -> Steps[Manifest | None]:
    """A release's manifest, or None when it is absent or no manifest."""
    raw = yield from do(ReadFile(f"{paths.release(release)}/manifest.json"))
    if raw is None:
        return None
    try:
        return from_json(Manifest, json.loads(raw))
    except (ValueError, ProtocolMismatch):
        return None


def digest_of(paths: InstancePaths, release: str) -> Steps[str]:
    """A release's digest; `NoSuchRelease` when it is not here."""
    found = yield from manifest(paths, release)
    if found is None:
        raise NoSuchRelease(f"there is no release `{release}` in `{paths.name}`")
    return found.release_digest


def origin(paths: InstancePaths, release: str) -> Steps[Origin]:
    """Where a release comes from; empty for one without a record."""
    raw = yield from do(ReadFile(f"{paths.release(release)}/origin.json"))
    try:
        return Origin() if raw is None else from_json(Origin, json.loads(raw))
    except (ValueError, ProtocolMismatch):
        return Origin()


def is_complete(paths: InstancePaths, release: str) -> Steps[bool]:
    """Whether every part is here and hashes to what the manifest says."""
    home = paths.release(release)
    found = yield from manifest(paths, release)
    if found is None:
        return False
    if (yield from material.digest_of(home)) != found.secrets_digest:
        return False
    return (yield from do(HashFile(f"{home}/site.tar"))) == layout.bare(found.release_digest)


def build(  # noqa: PLR0913, PLR0917 - what a release is made of
    paths: InstancePaths,
    number: int,
    tar: Bytes,
    origin: Origin,
    choice: material.Choice,
    names: tuple[str, ...],
    serving: str | None,
) -> Steps[ReleaseInfo]:
    """Link a release together and check it; `ReleaseRefused` leaves nothing behind.

    `names`: what a certificate of the host's own is for. `serving`: the release in service: what
    was judged with that is not judged again.

    It appears under its name by one rename, complete or not at all. A directory of that name can
    only be left from a stage that died before its journal entry: nothing points to it.
    """
    release = layout.release_name(number, tar.site_digest)
    final, fresh = paths.release(release), f"{paths.releases}/.new-{release}"
    yield from remove_tree(fresh)
    yield from remove_tree(final)
    yield from do(MakeDir(fresh))
    yield from do(HardLink(layout.blob(tar.release_digest), f"{fresh}/site.tar"))
    yield from material.put(paths, choice, fresh, names)
    secrets_digest = yield from material.digest_of(fresh)
    known = yield from _served_facts(paths, serving, secrets_digest)
    # What this host made itself needs nobody's judgement, nor the 0.06 s that its reader takes.
    known = known or (yield from material.own_facts(paths, choice, fresh))
    known = known if known and (yield from _lasts(known)) else None
    facts = known or (yield from material.facts_of(fresh))
    origin = replace(
        origin,
        material=choice.source,
        certificate=facts.certificate,
        further=facts.further,
        ech=facts.ech,
    )
    made = Manifest(
        v=1,
        release=release,
        release_digest=tar.release_digest,
        site_digest=tar.site_digest,
        size=tar.size,
        secrets_digest=secrets_digest,
        created=(yield from do(WallTime())),
    )
    for name, content in (("manifest.json", made), ("origin.json", origin)):
        yield from do(WriteFile(f"{fresh}/{name}", json.dumps(to_json(content)).encode()))
        yield from do(Fsync(f"{fresh}/{name}"))
    yield from do(Fsync(fresh))
    findings = yield from do(CheckRelease(fresh, tls=known is None))
    if findings:
        yield from remove_tree(fresh)
        raise ReleaseRefused(
            f"the release does not pass `zeroserve check`: {findings[0]}",
            hint=f"{len(findings)} findings in all; run `zeroserve check` on the built tar",
        )
    yield from do(Rename(fresh, final))
    yield from do(Fsync(paths.releases))
    return shown(made, origin)


def _served_facts(
    paths: InstancePaths, serving: str | None, secrets_digest: str
) -> Steps[PublicFacts | None]:
    """Those of the release in service, when certificate and keys are the same."""
    found = None if serving is None else (yield from manifest(paths, serving))
    if serving is None or found is None or found.secrets_digest != secrets_digest:
        return None
    like = yield from origin(paths, serving)
    return PublicFacts(like.certificate, like.further, like.ech)


def _lasts(facts: PublicFacts) -> Steps[bool]:
    now = yield from do(WallTime())
    # Both are UTC; to the second, whatever follows it.
    return facts.certificate is not None and facts.certificate.not_after[:19] > now[:19]


def shown(found: Manifest, origin: Origin) -> ReleaseInfo:
    """The release as people see it; what its history adds is added by `observe`."""
    return ReleaseInfo(
        release=found.release,
        number=layout.release_number(found.release),
        release_digest=found.release_digest,
        site_digest=found.site_digest,
        size=found.size,
        secrets_digest=found.secrets_digest,
        created=found.created,
        who=origin.who,
        why=origin.why,
        commit=origin.commit,
        material=origin.material,
        certificate=origin.certificate,
        further=origin.further,
        ech=origin.ech,
        sites=origin.sites,
    )


def info(paths: InstancePaths, release: str) -> Steps[ReleaseInfo | None]:
    """A kept release as people see it; None when it is not here."""
    found = yield from manifest(paths, release)
    return None if found is None else shown(found, (yield from origin(paths, release)))


def used_blobs() -> Steps[frozenset[str]]:
    """Digests, in bare hex, of the tars that releases of any instance link to."""
    used: set[str] = set()
    for instance in (yield from do(ListDir(layout.INSTANCES))):
        paths = InstancePaths(instance)
        for name in (yield from names(paths)):
            found = yield from manifest(paths, name)
            if found is not None:
                used.add(layout.bare(found.release_digest))
    return frozenset(used)


# -- links ---------------------------------------------------------------------------


def linked(paths: InstancePaths, link: str) -> Steps[str | None]:
    """The release a link names; None when it is absent or names something else."""
    target = yield from do(ReadLink(link))
    name = (target or "").removeprefix("releases/")
    return name if target == f"releases/{name}" and layout.is_release_name(name) else None


def make_link(paths: InstancePaths, release: str, link: str) -> Steps[None]:
    """Make `link` name the release, beside `current` and not yet in its place."""
    if (yield from linked(paths, link)) != release:
        yield from do(Unlink(link))
        yield from do(Symlink(paths.link_target(release), link))


def switch(paths: InstancePaths, release: str, link: str) -> Steps[None]:
    """Have `current` name the release, in one rename of the link made beforehand."""
    if (yield from linked(paths, paths.current)) != release:
        yield from make_link(paths, release, link)
        yield from do(Rename(link, paths.current))
    yield from do(Fsync(paths.home))


# -- quarantine and pins -------------------------------------------------------------


def quarantine(paths: InstancePaths) -> Steps[Quarantine]:
    """Digests that failed here."""
    raw = yield from do(ReadFile(paths.quarantine))
    return Quarantine() if raw is None else from_json(Quarantine, json.loads(raw))


def is_quarantined(held: QuarantinedRelease, release_digest: str, source: str) -> bool:
    """Whether this entry is about these bytes with this material."""
    return (held.release_digest, held.material) == (release_digest, source)


def add_quarantine(paths: InstancePaths, release: str, reason: str) -> Steps[None]:
    """Remember a failed site with its material; one entry each, the newest reason."""
    digest = yield from digest_of(paths, release)
    source = (yield from origin(paths, release)).material
    held = yield from quarantine(paths)
    rest = tuple(q for q in held.releases if not is_quarantined(q, digest, source))
    fresh = QuarantinedRelease(digest, reason, (yield from do(WallTime())), source)
    yield from _save(paths.quarantine, Quarantine((*rest, fresh)))


def lift_quarantine(paths: InstancePaths, release: str) -> Steps[None]:
    """Forget its failure: it was confirmed since."""
    digest = yield from digest_of(paths, release)
    source = (yield from origin(paths, release)).material
    held = yield from quarantine(paths)
    rest = tuple(q for q in held.releases if not is_quarantined(q, digest, source))
    if len(rest) != len(held.releases):
        yield from _save(paths.quarantine, Quarantine(rest))


def pins(paths: InstancePaths) -> Steps[tuple[str, ...]]:
    """Names of the pinned releases."""
    raw = yield from do(ReadFile(paths.pins))
    return () if raw is None else from_json(Pins, json.loads(raw)).releases


def pin(paths: InstancePaths, release: str, pinned: bool) -> Steps[None]:
    """Pin or unpin; `NoSuchRelease`."""
    yield from digest_of(paths, release)
    rest = tuple(name for name in (yield from pins(paths)) if name != release)
    yield from _save(paths.pins, Pins((*rest, release) if pinned else rest))


def _save(path: str, content: Quarantine | Pins) -> Steps[None]:
    yield from write_durably(path, json.dumps(to_json(replace(content))).encode())
