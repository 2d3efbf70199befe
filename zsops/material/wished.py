"""What an instance's release should carry: the files of the project as a sealed, digested set."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zeroserve.errors import TlsRefused
from zeroserve.tls.certificates import CertificateFacts, judge_pair, read_facts
from zsops.client.link import Trust
from zsops.config.load import Project
from zsops.config.models import Instance
from zsops.config.secrets import Tls
from zsops.host import messages as m
from zsops.material import age_files
from zsops.material.ech_keys import EchDirectory
from zsops.material.errors import MaterialError
from zsops.material.identities import Identities
from zsops.plan.wish import WishedMaterial

#: For `ca`: whatever this machine trusts.
SYSTEM = "system"
_CA_HINT = "`ca` of `tls` names a PEM file, or is `system`"
CERT, KEY = "tls/cert.pem", "tls/key.pem"


def cert_path(number: int, name: str) -> str:
    """Where the certificate `name`, the `number`th of an instance from 0, is in a release."""
    return CERT if number == 0 else f"tls/more-{number:02}-{name}.cert.pem"


def _key_of(path: str) -> str:
    return KEY if path == CERT else path.removesuffix(".cert.pem") + ".key.pem"


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

    def certificate(self, path: str = CERT) -> CertificateFacts | None:
        """What a certificate says; None when it is closed to us. Raises MaterialError."""
        cert = self.plain(path)
        if cert is None:
            return None
        try:
            return read_facts(cert)
        except ValueError:
            raise MaterialError(f"`{self._place(path)}` holds no certificate") from None

    def judge(self, now: datetime) -> None:
        """Refuse what no host would take. Raises MaterialError. What is closed is not judged."""
        for each in self._files:
            if each.path == CERT or each.path.endswith(".cert.pem"):
                self._judge(each.path, _key_of(each.path), now)

    def _judge(self, cert_path: str, key_path: str, now: datetime) -> None:
        cert, key = self.plain(cert_path), self.plain(key_path)
        if cert is None or key is None:
            return
        names = (str(self._place(cert_path)), str(self._place(key_path)))
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
        self._sets: dict[tuple[tuple[str, ...], str | None], MaterialSet] = {}
        self._wishes: dict[tuple[tuple[str, ...], str | None, tuple[str, ...]], WishedMaterial] = {}

    def of(self, instance: Instance) -> MaterialSet | None:
        """What the instance's release carries; None: a certificate of the host's own.

        Raises MaterialError.
        """
        if not instance.tls:
            return None
        wanted = (instance.tls, instance.ech)
        if wanted not in self._sets:
            self._sets[wanted] = self._read(*wanted)
        return self._sets[wanted]

    def wish(self, instance: Instance) -> WishedMaterial | None:
        """As the planner takes it. Raises MaterialError for what no host would take."""
        if not instance.tls:
            return None
        wanted = (instance.tls, instance.ech, instance.host_names)
        if wanted not in self._wishes:
            self._wishes[wanted] = self._judged(instance)
        return self._wishes[wanted]

    def authorities(self, instance: Instance) -> tuple[Trust, ...]:
        """What each certificate of the instance has to lead to. Raises MaterialError."""
        return tuple(self._authority(name) for name in instance.tls)

    def _authority(self, name: str) -> Trust:
        written = self._project.config.tls[name].ca
        if written is None or written == SYSTEM:
            return Trust(system=written == SYSTEM)
        place = self._project.directory / written
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(place)
        except ssl.SSLError:
            raise MaterialError(f"`{place}` holds no certificate of an authority") from None
        except OSError as error:
            raise MaterialError(f"`{place}`: {error.strerror}", hint=_CA_HINT) from None
        return Trust(anchors=(place,))

    def _judged(self, instance: Instance) -> WishedMaterial:
        found = self.of(instance)
        assert found is not None
        now = datetime.now(UTC)
        found.judge(now)
        self.authorities(instance)
        facts = {
            name: found.certificate(cert_path(number, name))
            for number, name in enumerate(instance.tls)
        }
        opened = {name: each for name, each in facts.items() if each is not None}
        if len(opened) == len(facts):
            _refuse_foreign(instance, opened)
        warnings: list[str] = []
        for name, each in opened.items():
            left = (each.not_after - now).days
            if left < self._project.config.tls[name].min_days:
                warnings.append(f"certificate `{name}` expires in {left} d")
            if len(facts) > 1 and not any(map(each.covers, self._asked(instance))):
                warnings.append(f"certificate `{name}` is for none of the instance's names")
        told = [(name, None if each is None else _told(name, each)) for name, each in facts.items()]
        return WishedMaterial(
            name=told[0][0],
            source=found.source,
            certificate=told[0][1],
            further=tuple(told[1:]),
            warnings=tuple(warnings),
        )

    def _asked(self, instance: Instance) -> tuple[str, ...]:
        """Names that clients ask for: the hidden ones, and the one that is seen on the way."""
        if instance.ech is None:
            return instance.host_names
        return (*instance.host_names, self._project.config.ech[instance.ech].public_name)

    def ech(self, name: str) -> EchDirectory:
        """The keys called `name` in the file."""
        return EchDirectory(self._project.directory, self._project.config.ech[name])

    def _read(self, tls: tuple[str, ...], ech: str | None) -> MaterialSet:
        files: list[SecretFile] = []
        for number, name in enumerate(tls):
            files += self._pair(self._project.config.tls[name], cert_path(number, name))
        if ech is not None:
            directory = self.ech(ech)
            for path, place in directory.release_files():
                raw = age_files.read(place, sealed=directory.sealed, secret=True)
                files.append(SecretFile(path, place, directory.sealed, raw))
        return MaterialSet(files, self.identities)

    def _pair(self, tls: Tls, cert: str) -> Sequence[SecretFile]:
        found = []
        for path, written in ((cert, tls.cert), (_key_of(cert), tls.key)):
            place, sealed = age_files.place_of(self._project.directory, written)
            raw = age_files.read(place, sealed=sealed, secret=written == tls.key)
            found.append(SecretFile(path, place, sealed, raw))
        return found


def _refuse_foreign(instance: Instance, certificates: Mapping[str, CertificateFacts]) -> None:
    """Raises MaterialError for a host name that no certificate of the instance is for."""
    for host in instance.host_names:
        if not any(each.covers(host) for each in certificates.values()):
            shown = ", ".join(f"`{name}`" for name in certificates)
            theirs = ", ".join(name for each in certificates.values() for name in each.names)
            several = len(certificates) > 1
            raise MaterialError(
                f"none of the certificates {shown} is for `{host}`, which an instance serves with"
                f" them; they are for {theirs or 'no name'}"
                if several
                else f"certificate {shown} is not for `{host}`, which an instance"
                f" serves with it; it is for {theirs or 'no name'}"
            )


def _told(name: str, facts: CertificateFacts) -> m.CertificateFacts:
    return m.CertificateFacts(
        leaf=facts.leaf,
        names=facts.names,
        issuer=facts.issuer,
        not_before=facts.not_before.isoformat(),
        not_after=facts.not_after.isoformat(),
        name=name,
    )
