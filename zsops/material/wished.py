"""What an instance's release should carry: the files of the project as a sealed, digested set."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zeroserve.errors import TlsRefused
from zeroserve.tls.certificates import CertificateFacts, judge_pair, read_facts
from zsops.config.load import Project
from zsops.config.models import Instance
from zsops.config.secrets import Tls
from zsops.host import messages as m
from zsops.material import age_files
from zsops.material.ech_keys import EchDirectory
from zsops.material.errors import MaterialError
from zsops.material.identities import Identities
from zsops.plan.wish import WishedMaterial

CERT, KEY = "tls/cert.pem", "tls/key.pem"


@dataclass(frozen=True)
class SecretFile:
    """One file of a release, as the project keeps it."""

    path: str  # in the release directory
    place: Path
    sealed: bool
    raw: bytes = field(repr=False)


class MaterialSet:
    """Certificate, key and ECH keys of one release."""

    def __init__(self, files: Sequence[SecretFile], identities: Identities) -> None:
        self._files = tuple(sorted(files, key=lambda each: each.path))
        self._identities = identities

    @property
    def source(self) -> str:
        """Digest over the files as they are kept: equal means that nothing has to be sent."""
        total = hashlib.sha256()
        for each in self._files:
            total.update(f"{each.path} {hashlib.sha256(each.raw).hexdigest()}\n".encode())
        return f"sha256:{total.hexdigest()}"

    def plain(self, path: str) -> bytes | None:
        """A file's content, or None when none of our keys opens it."""
        found = next(each for each in self._files if each.path == path)
        return self._identities.open(found.raw) if found.sealed else found.raw

    def sealed_for(self, recipients: Sequence[str]) -> m.Material:
        """Every file encrypted to the host.

        What names the host as its reader already, or is closed to us, goes through as it is.
        """
        sealed = []
        for each in self._files:
            if each.sealed and age_files.is_for(each.raw, recipients):
                fitting = each.raw
            else:
                plain = self.plain(each.path)
                fitting = each.raw if plain is None else age_files.seal(plain, recipients[:1])
            sealed.append(m.SealedFile(each.path, base64.b64encode(fitting).decode()))
        return m.Material(self.source, tuple(sealed))

    def certificate(self) -> CertificateFacts | None:
        """What the certificate says; None when it is closed to us. Raises MaterialError."""
        cert = self.plain(CERT)
        if cert is None:
            return None
        try:
            return read_facts(cert)
        except ValueError:
            raise MaterialError(f"`{self._place(CERT)}` holds no certificate") from None

    def judge(self, now: datetime) -> None:
        """Refuse what no host would take. Raises MaterialError. What is closed is not judged."""
        cert, key = self.plain(CERT), self.plain(KEY)
        if cert is None or key is None:
            return
        names = (str(self._place(CERT)), str(self._place(KEY)))
        faults: list[TlsRefused] = judge_pair(
            cert_pem=cert, key_pem=key, cert_name=names[0], key_name=names[1], now=now
        )
        if faults:
            raise MaterialError(faults[0].message, hint=faults[0].hint)

    def _place(self, path: str) -> Path:
        return next(each.place for each in self._files if each.path == path)


class Materials:
    """The material of a project's instances, read once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.identities = Identities(project.directory, project.config.secrets.identity)
        self._sets: dict[tuple[str, str | None], MaterialSet] = {}
        self._wishes: dict[tuple[str, str | None, tuple[str, ...]], WishedMaterial] = {}

    def of(self, instance: Instance) -> MaterialSet | None:
        """What the instance's release carries; None: a certificate of the host's own.

        Raises MaterialError.
        """
        if instance.tls is None:
            return None
        wanted = (instance.tls, instance.ech)
        if wanted not in self._sets:
            self._sets[wanted] = self._read(*wanted)
        return self._sets[wanted]

    def wish(self, instance: Instance) -> WishedMaterial | None:
        """As the planner takes it. Raises MaterialError for what no host would take."""
        if instance.tls is None:
            return None
        wanted = (instance.tls, instance.ech, instance.host_names)
        if wanted not in self._wishes:
            self._wishes[wanted] = self._judged(instance, instance.tls)
        return self._wishes[wanted]

    def _judged(self, instance: Instance, name: str) -> WishedMaterial:
        found = self.of(instance)
        assert found is not None
        now = datetime.now(UTC)
        found.judge(now)
        facts = found.certificate()
        warnings: list[str] = []
        if facts is not None:
            foreign = [host for host in instance.host_names if not facts.covers(host)]
            if foreign:
                raise MaterialError(
                    f"certificate `{name}` is not for `{foreign[0]}`, which an instance"
                    f" serves with it; it is for {', '.join(facts.names) or 'no name'}"
                )
            left = (facts.not_after - now).days
            if left < self._project.config.tls[name].min_days:
                warnings.append(f"certificate `{name}` expires in {left} d")
        return WishedMaterial(
            name=name,
            source=found.source,
            certificate=None if facts is None else _told(facts),
            warnings=tuple(warnings),
        )

    def ech(self, name: str) -> EchDirectory:
        """The keys called `name` in the file."""
        return EchDirectory(self._project.directory, self._project.config.ech[name])

    def _read(self, tls: str, ech: str | None) -> MaterialSet:
        files = list(self._pair(self._project.config.tls[tls]))
        if ech is not None:
            directory = self.ech(ech)
            for path, place in directory.release_files():
                raw = age_files.read(place, sealed=directory.sealed, secret=True)
                files.append(SecretFile(path, place, directory.sealed, raw))
        return MaterialSet(files, self.identities)

    def _pair(self, tls: Tls) -> Sequence[SecretFile]:
        found = []
        for path, written in ((CERT, tls.cert), (KEY, tls.key)):
            place, sealed = age_files.place_of(self._project.directory, written)
            raw = age_files.read(place, sealed=sealed, secret=path == KEY)
            found.append(SecretFile(path, place, sealed, raw))
        return found


def _told(facts: CertificateFacts) -> m.CertificateFacts:
    return m.CertificateFacts(
        leaf=facts.leaf,
        names=facts.names,
        issuer=facts.issuer,
        not_before=facts.not_before.isoformat(),
        not_after=facts.not_after.isoformat(),
    )
