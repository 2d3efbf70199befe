"""Material: a release's certificate, key and ECH keys, and where they come from.

Three ways: the operator sends them, encrypted to this host; they are those of a kept release; or
the host makes a certificate for itself. Whichever it is, they are files of the release directory,
so the one rename that switches the site switches them, too. Plain bytes exist in memory and there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from zsops.errors import BadRequest, MaterialRefused
from zsops.frozen import frozen, hidden
from zsops.host import secrets
from zsops.host.effects import (
    Effect,
    Fsync,
    HardLink,
    HashFile,
    ListDir,
    MakeDir,
    ReadFile,
    Steps,
    WriteFile,
    do,
    write_durably,
)
from zsops.host.layout import IDENTITY, InstancePaths
from zsops.host.messages import Material
from zsops.host.world import PublicFacts, World

CERT, KEY = "tls/cert.pem", "tls/key.pem"
_SECRET_MODE = 0o600
_MORE_FILE = re.compile(r"tls/more-[0-9]{2}-([a-z0-9][a-z0-9_-]{0,62})\.(cert|key)\.pem")
_ECH_FILE = re.compile(r"ech/[a-z0-9][a-z0-9._-]{0,62}\.pem")
_FILES_MAX = 64
_FILE_BYTES_MAX = 1 << 20  # what the daemon reads of one


# -- effects ---------------------------------------------------------------------------


@frozen
class MakeIdentity(Effect[bytes]):
    """A fresh age identity."""

    def perform(self, world: World) -> bytes:
        return world.tools.identity()


@frozen
class ReadRecipients(Effect[tuple[str, ...]]):
    """The public halves of this host's identities."""

    identity: bytes = hidden()

    def perform(self, world: World) -> tuple[str, ...]:
        return world.tools.recipients(self.identity)


@frozen
class Unseal(Effect[bytes]):
    """Decrypt with the host's identities; `MaterialRefused` when none fits."""

    identity: bytes = hidden()
    sealed: bytes = hidden()

    def perform(self, world: World) -> bytes:
        return world.tools.unseal(self.identity, self.sealed)


@frozen
class ReadPublicFacts(Effect[PublicFacts]):
    """What the certificate and the ECH configurations say of themselves."""

    cert_pem: bytes
    further: tuple[tuple[str, bytes], ...]
    ech_pems: tuple[bytes, ...] = hidden()

    def perform(self, world: World) -> PublicFacts:
        return world.tools.public_facts(self.cert_pem, self.ech_pems, self.further)


# -- where it comes from -----------------------------------------------------------------


@frozen
class Own:
    """The certificate this host made for itself."""

    source: str = ""


@frozen
class Kept:
    """As a release that is here has it."""

    release: str
    source: str


@frozen
class Opened:
    """Sent by the operator: paths in the release directory and their plain bytes."""

    source: str
    files: tuple[tuple[str, bytes], ...] = hidden()


Choice = Own | Kept | Opened


def chosen(material: Material | None, serving: str, serving_source: str) -> Steps[Choice]:
    """What a request asks for. `serving`: the release in service, with its material's source.

    Raises `MaterialRefused`, `BadRequest`.
    """
    if material is None:
        return Own()
    if not re.fullmatch("sha256:[0-9a-f]{64}", material.source):
        raise BadRequest("material needs a source, which is a sha256 digest")
    if not material.files:
        if serving_source != material.source:
            raise MaterialRefused(
                f"the certificate in service with `{serving}` is not the one that was planned with",
                hint="run the command again",
            )
        return Kept(serving, material.source)
    paths = [each.path for each in material.files]
    good = {CERT, KEY} <= set(paths) and len(set(paths)) == len(paths) <= _FILES_MAX
    if not good or not all(_is_known(path, paths) for path in paths):
        raise BadRequest(
            "material is a certificate, its key, further pairs as `tls/more-NN-NAME.cert.pem` and"
            " `.key.pem`, and ECH keys as `ech/NAME.pem`"
        )
    identity = (yield from do(ReadFile(IDENTITY))) or b""
    opened = []
    for each in material.files:
        try:
            sealed = base64.b64decode(each.sealed, validate=True)
        except binascii.Error:
            raise BadRequest(f"`{each.path}` is not base64") from None
        plain = yield from do(Unseal(identity, sealed))
        if len(plain) > _FILE_BYTES_MAX:
            raise BadRequest(f"`{each.path}` is larger than {_FILE_BYTES_MAX} bytes")
        opened.append((each.path, plain))
    return Opened(material.source, tuple(sorted(opened)))


def _is_known(path: str, paths: list[str]) -> bool:
    """A further certificate comes with its key, and a key with its certificate."""
    if _MORE_FILE.fullmatch(path):
        stem = path.removesuffix(".cert.pem").removesuffix(".key.pem")
        return {f"{stem}.cert.pem", f"{stem}.key.pem"} <= set(paths)
    return path in (CERT, KEY) or _ECH_FILE.fullmatch(path) is not None


def recipients() -> Steps[tuple[str, ...]]:
    """What operators may encrypt to; the host's own identity is made by the first question."""
    identity = yield from do(ReadFile(IDENTITY))
    if identity is None:
        identity = yield from do(MakeIdentity())
        yield from write_durably(IDENTITY, identity, _SECRET_MODE)
    return (yield from do(ReadRecipients(identity)))


# -- into a release directory ---------------------------------------------------------------


def put(paths: InstancePaths, choice: Choice, home: str, names: tuple[str, ...]) -> Steps[None]:
    """Have `tls/` and `ech/` in the release directory `home`, synced.

    `names`: what a certificate of the host's own is for.
    """
    yield from do(MakeDir(f"{home}/tls"))
    if isinstance(choice, Own):
        yield from secrets.refresh(paths, names)
        for path in (CERT, KEY):
            own = f"{paths.secrets}/{path.removeprefix('tls/')}"
            yield from do(HardLink(own, f"{home}/{path}"))
    else:
        yield from _copy(paths, choice, home)
    yield from do(Fsync(f"{home}/tls"))


def _copy(paths: InstancePaths, choice: Kept | Opened, home: str) -> Steps[None]:
    if isinstance(choice, Opened):
        found = tuple(path for path, _ in choice.files)
    else:
        kept = paths.release(choice.release)
        found = (CERT, KEY, *(yield from more_files(kept)), *(yield from ech_files(kept)))
    with_ech = any(path.startswith("ech/") for path in found)
    if with_ech:
        yield from do(MakeDir(f"{home}/ech"))
    if isinstance(choice, Opened):
        for path, plain in choice.files:
            yield from do(WriteFile(f"{home}/{path}", plain, _SECRET_MODE))
            yield from do(Fsync(f"{home}/{path}"))
    else:
        for path in found:
            yield from do(HardLink(f"{paths.release(choice.release)}/{path}", f"{home}/{path}"))
    if with_ech:
        yield from do(Fsync(f"{home}/ech"))


def more_files(home: str) -> Steps[tuple[str, ...]]:
    """Further certificates and keys of a release directory, sorted: a pair stands together."""
    listed = yield from do(ListDir(f"{home}/tls"))
    return tuple(f"tls/{name}" for name in listed if _MORE_FILE.fullmatch(f"tls/{name}"))


def further(home: str) -> Steps[tuple[tuple[str, str], ...]]:
    """(name of `tls:`, path in the release) of the certificates beside the first."""
    found = []
    for path in (yield from more_files(home)):
        match = _MORE_FILE.fullmatch(path)
        if match is not None and match[2] == "cert":
            found.append((match[1], path))
    return tuple(found)


def ech_files(home: str) -> Steps[tuple[str, ...]]:
    """`ech/NAME` of a release directory, sorted: the last one is the newest."""
    return tuple(f"ech/{name}" for name in (yield from do(ListDir(f"{home}/ech"))))


def digest_of(home: str) -> Steps[str]:
    """SHA-256 over the hashes of a release's certificate and key; then, with their names, those of
    further pairs and of ECH keys.
    """
    total = hashlib.sha256()
    for path in (CERT, KEY):
        total.update(((yield from do(HashFile(f"{home}/{path}"))) or "").encode())
    for path in (*(yield from more_files(home)), *(yield from ech_files(home))):
        total.update(f"{path}\n{(yield from do(HashFile(f'{home}/{path}')))}\n".encode())
    return f"sha256:{total.hexdigest()}"


def own_facts(paths: InstancePaths, choice: Choice, home: str) -> Steps[PublicFacts | None]:
    """Those of a release with the host's own certificate, which are known from its making."""
    if not isinstance(choice, Own):
        return None
    cert = (yield from do(ReadFile(f"{home}/{CERT}"))) or b""
    facts = yield from secrets.facts(paths, cert)
    return None if facts is None else PublicFacts(facts)


def facts_of(home: str) -> Steps[PublicFacts]:
    """The public facts of a release's material."""
    cert = (yield from do(ReadFile(f"{home}/{CERT}"))) or b""
    more: tuple[tuple[str, bytes], ...] = ()
    for name, path in (yield from further(home)):
        more += ((name, (yield from do(ReadFile(f"{home}/{path}"))) or b""),)
    pems: tuple[bytes, ...] = ()
    for path in (yield from ech_files(home)):
        pems += ((yield from do(ReadFile(f"{home}/{path}"))) or b"",)
    return (yield from do(ReadPublicFacts(cert, more, pems)))
