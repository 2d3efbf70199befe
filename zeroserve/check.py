"""Check: everything a start would refuse. Collects all findings.

Reads every member once and compares it with the member index. Runs where the
engine cannot; only sites with scripts need it.
"""

import datetime
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zeroserve.check_documents import check_documents, check_forms
from zeroserve.check_scripts import check_scripts
from zeroserve.errors import ReleaseRefused, SiteRefused, TlsRefused, ZeroserveError
from zeroserve.finding import WARNINGS, Finding
from zeroserve.pack.member_index import (
    INDEX_BYTES_MAX,
    INDEX_PATH,
    Member,
    MemberIndex,
    decode_index,
)
from zeroserve.pack.script_paths import is_script
from zeroserve.pack.tar_reader import TarMember, open_archive, read_members
from zeroserve.pack.walk import PATH_BYTES_MAX

CHUNK_BYTES = 1 << 20
PEM_BYTES_MAX = 1 << 20

__all__ = ["WARNINGS", "Finding", "check_cert_dir", "check_pair", "check_path"]


def check_path(path: Path, *, tls: bool = True) -> tuple[Finding, ...]:
    """Judge a SITE.tar or a release directory. Empty when all is good; never raises for bad input.

    A directory is a release directory when it has one of the files that make one. Without `tls`
    its certificates and keys are left out: a server runs with the same ones.
    """
    if path.is_dir() and any((path / name).exists() for name in ("manifest.json", "site.tar")):
        return tuple(_check_release(path, tls=tls))
    return tuple(_check_site(path).findings)


def check_pair(cert: Path | None, key: Path | None) -> list[Finding]:
    """Judge a certificate file and its key file. One of them alone is a finding too."""
    from zeroserve.tls.certificates import judge_pair

    if cert is None or key is None:
        return [Finding("usage", "--cert and --key must be provided together", None)]
    findings: list[Finding] = []
    texts: list[bytes] = []
    for path, code, what in (
        (cert, "certificate-unreadable", "certificate"),
        (key, "key-unreadable", "key"),
    ):
        try:
            texts.append(_read_start(path))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            findings.append(Finding(code, f"{what} `{path}`: {why}", None))
            texts.append(b"")
    if findings:
        return findings
    faults = judge_pair(
        cert_pem=texts[0],
        key_pem=texts[1],
        cert_name=str(cert),
        key_name=str(key),
        now=datetime.datetime.now(datetime.UTC),
    )
    return [_finding(fault) for fault in faults]


def check_cert_dir(directory: Path) -> list[Finding]:
    """Judge a directory of certificates and keys."""
    from zeroserve.tls.directory import judge_directory

    try:
        paths = [path for path in _visible(directory) if path.is_file()]
        files = [(str(path), _read_start(path)) for path in paths if path.suffix != ".ocsp"]
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        text = f"certificate directory `{directory}`: {why}"
        return [Finding("certificate-unreadable", text, None)]
    faults = judge_directory(files, str(directory), datetime.datetime.now(datetime.UTC))
    return [_finding(fault) for fault in faults]


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PEM_BYTES_MAX)


def _visible(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def _check_release_tls(directory: Path) -> list[Finding]:
    names = {path.name for path in _visible(directory) if path.suffix != ".ocsp"}
    if names <= {"cert.pem", "key.pem"}:
        return check_pair(directory / "cert.pem", directory / "key.pem")
    return check_cert_dir(directory)


@dataclass(frozen=True, slots=True)
class _SiteReport:
    findings: list[Finding]
    site_digest: str | None


def _finding(error: ZeroserveError) -> Finding:
    return Finding(error.code, error.message, error.hint)


def _check_site(path: Path) -> _SiteReport:
    name = str(path)
    findings: list[Finding] = []
    members: list[TarMember] = []
    index: MemberIndex | None = None
    try:
        with open_archive(path) as file:
            try:
                for member in read_members(file, name):
                    members.append(member)  # noqa: PERF402  # what came before a fault is judged too
            except SiteRefused as error:
                findings.append(_finding(error))
            findings += _judge_names(members, name)
            if members and members[0].path == INDEX_PATH:
                try:
                    index = _read_index(file, members[0], name)
                    findings += _compare_headers(index, members[1:], name)
                    findings += _compare_bytes(file, index, name)
                except SiteRefused as error:
                    findings.append(_finding(error))
            findings += check_documents(file, {one.path: one for one in members}, name)
            if index is not None and not _has_error(findings):
                findings += check_forms(file, index, name)
            if any(is_script(one.path) for one in members) and not _has_error(findings):
                findings += check_scripts(file, name)
    except SiteRefused as error:
        return _SiteReport([_finding(error)], None)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        findings.append(Finding("site-unreadable", f"`{name}`: {why}", None))
    if not findings and not any(member.path != INDEX_PATH for member in members):
        text = f"`{name}` does not contain any regular files"
        findings.append(Finding("site-empty", text, None))
    return _SiteReport(findings, None if index is None else index.site_digest)


def _has_error(findings: list[Finding]) -> bool:
    return any(one.is_error for one in findings)


def _judge_names(members: list[TarMember], name: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for member in members:
        path = member.path
        if path.startswith("/"):
            yield Finding("member-path", f"`{name}`: member `{path}` has an absolute name", None)
        elif ".." in path.split("/"):
            yield Finding("member-path", f"`{name}`: member `{path}` leaves the tree", None)
        elif not path or "\0" in path or len(path.encode()) > PATH_BYTES_MAX:
            yield Finding("member-path", f"`{name}`: a member has no usable name", None)
        if path in seen:
            text = f"`{name}`: `{path}` is there more than once, the last one is served"
            yield Finding("member-duplicate", text, "pack the site with `zeroserve pack`")
        seen.add(path)


def _read_index(file: BinaryIO, member: TarMember, name: str) -> MemberIndex:
    if member.size > INDEX_BYTES_MAX:
        raise SiteRefused("index-bad", f"`{name}`: a member index of {member.size} bytes")
    file.seek(member.offset)
    return decode_index(file.read(member.size), name)


def _compare_headers(index: MemberIndex, members: list[TarMember], name: str) -> Iterator[Finding]:
    found = {member.path: member for member in members}
    stated = {member.path: member for member in index.members}
    for path in sorted(stated.keys() - found.keys()):
        yield _mismatch(name, path, "is in the member index and not in the archive")
    for path in sorted(found.keys() - stated.keys()):
        yield _mismatch(name, path, "is in the archive and not in the member index")
    if len(members) > len(found):
        # A foreign archive may do that; one with an index was tampered with.
        yield _mismatch(name, INDEX_PATH, "lists each name once, the archive does not")
    elif found.keys() == stated.keys() and list(found) != list(stated):
        yield _mismatch(name, INDEX_PATH, "lists the members in another order")
    for path in sorted(stated.keys() & found.keys()):
        header, record = found[path], stated[path]
        for what in ("offset", "size", "mtime"):
            if getattr(header, what) != getattr(record, what):
                text = (
                    f"has {what} {getattr(header, what)} in the archive and "
                    f"{getattr(record, what)} in the member index"
                )
                yield _mismatch(name, path, text)


def _compare_bytes(file: BinaryIO, index: MemberIndex, name: str) -> Iterator[Finding]:
    end = os.fstat(file.fileno()).st_size
    for member in index.members:
        if member.offset + member.size > end:
            yield _mismatch(name, member.path, "lies beyond the end of the archive")
        elif _digest_of(file, member) != member.sha256:
            yield Finding(
                "member-digest",
                f"`{name}`: the bytes of `{member.path}` have another digest than the index states",
                "pack or copy the site again",
            )


def _digest_of(file: BinaryIO, member: Member) -> bytes:
    digest = hashlib.sha256()
    file.seek(member.offset)
    left = member.size
    while left > 0:
        chunk = file.read(min(left, CHUNK_BYTES))
        if not chunk:
            break
        digest.update(chunk)
        left -= len(chunk)
    return digest.digest()


def _mismatch(name: str, path: str, what: str) -> Finding:
    return Finding("index-mismatch", f"`{name}`: `{path}` {what}", "pack the site again")


def _check_release(directory: Path, *, tls: bool) -> Iterator[Finding]:
    from zeroserve.control.generation import parse_manifest

    site = directory / "site.tar"
    report = _check_site(site)
    yield from report.findings
    manifest_path = directory / "manifest.json"
    try:
        manifest = parse_manifest(manifest_path.read_bytes(), str(manifest_path))
    except ReleaseRefused as error:
        yield _finding(error)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        yield Finding("manifest-missing", f"`{manifest_path}`: {why}", None)
    else:
        yield from _compare_manifest(manifest, site, report)
    if not tls:
        return
    if (directory / "tls").exists():
        yield from _check_release_tls(directory / "tls")
    if (directory / "ech").is_dir():
        yield from _check_ech(directory / "ech")


def _check_ech(directory: Path) -> Iterator[Finding]:
    from zeroserve.tls.ech import read_bundle

    seen: dict[int, Path] = {}
    for path in _visible(directory):
        try:
            keys = read_bundle(_read_start(path), str(path))
        except TlsRefused as error:
            yield _finding(error)
            continue
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            yield Finding("ech-bad", f"`{path}`: {why}", None)
            continue
        for key in keys:
            first = seen.setdefault(key.config_id, path)
            if first != path or [each.config_id for each in keys].count(key.config_id) > 1:
                text = f"`{path}`: ECH config id 0x{key.config_id:02x} is in `{first}` already"
                yield Finding("ech-duplicate", text, "retire one of the keys")
                break


def _compare_manifest(
    manifest: dict[str, object], site: Path, report: _SiteReport
) -> Iterator[Finding]:
    try:
        with site.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return  # said already, as a fault of the site
    facts: list[tuple[str, object]] = [("size", size), ("release_digest", digest)]
    if report.site_digest is not None:
        facts.append(("site_digest", report.site_digest))
    for name, found in facts:
        if manifest[name] != found:
            yield Finding(
                "manifest-mismatch",
                f"`{site.parent / 'manifest.json'}` states {name} {manifest[name]}, "
                f"`{site.name}` has {found}",
                "stage the release again",
            )
