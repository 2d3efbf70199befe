"""A bill of materials of a built site: CycloneDX 1.6 as JSON (ECMA-424).

Everything in it comes from the bytes of the tarball: no clock, no random number, no path of this
machine. So who builds the same site gets the same file, and it can be signed with the release.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from zeroserve import __version__
from zeroserve.pack.member_index import Member
from zeroserve.pack.script_files import RECORD_PATH, object_name
from zeroserve.pack.script_paths import SCRIPTS_FOLDER
from zsops.build.site import BuiltSite
from zsops.errors import BuildError

#: As the specification recommends.
SUFFIX = ".cdx.json"
_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_HEADER = "zeroserve.h"
_DIGITS = 12  # of the site digest, as its version

_Json = dict[str, Any]


@dataclass(frozen=True)
class ScriptRecord:
    """What the objects below `prefix` were made of, and with: `.zeroserve/scripts.json`."""

    prefix: str
    compiler: str
    version: str
    flags: tuple[str, ...]
    header_sha256: str
    sources: Mapping[str, str]  # name below the scripts' folder, and SHA-256 as bare hex


def write_sbom(project: str, built: BuiltSite, place: Path) -> Path:
    """Write it into the directory `place`; the file. Raises BuildError."""
    file = place / f"{built.site}{SUFFIX}"
    try:
        text = json.dumps(sbom(project, built, read_records(built)), indent=1, ensure_ascii=False)
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise BuildError(f"`{error.filename}` cannot be written: {error.strerror}") from error
    return file


def sbom(project: str, built: BuiltSite, records: Sequence[ScriptRecord]) -> _Json:
    """The document."""
    made_of = dict(_sources(records))
    digest = built.release_digest.removeprefix("sha256:")
    return {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, built.release_digest)}",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": list(_tools(records))},
            "component": {
                "type": "application",
                "bom-ref": "site",
                "group": project,
                "name": built.site,
                "version": built.site_digest.removeprefix("sha256:")[:_DIGITS],
                "hashes": _hashes(digest),
                "properties": _properties(site_digest=built.site_digest, size=built.size),
            },
        },
        "components": [_file(each, made_of.get(each.path, ())) for each in built.members],
        "dependencies": [
            {"ref": "site", "dependsOn": [_reference(each.path) for each in built.members]}
        ],
    }


def read_records(built: BuiltSite) -> tuple[ScriptRecord, ...]:
    """Those of the tarball. Raises OSError."""
    found: list[ScriptRecord] = []
    with built.tar.open("rb") as file:
        for member in built.members:
            if member.path != RECORD_PATH and not member.path.endswith(f"/{RECORD_PATH}"):
                continue
            file.seek(member.offset)
            found += _record(member.path.removesuffix(RECORD_PATH), file.read(member.size))
    return tuple(found)


def _record(prefix: str, content: bytes) -> Iterator[ScriptRecord]:
    """None for a file of that name which somebody else wrote: then sources are not known."""
    try:
        yield TypeAdapter(ScriptRecord).validate_python(
            {**json.loads(content), "prefix": prefix}, strict=False
        )
    except (ValueError, TypeError):
        return


def _sources(records: Sequence[ScriptRecord]) -> Iterator[tuple[str, Sequence[_Json]]]:
    """Member, and what it was compiled from."""
    for record in records:
        for name, sha256 in sorted(record.sources.items()):
            path = f"{record.prefix}{SCRIPTS_FOLDER}{name}"
            source = {"type": "file", "name": path, "hashes": _hashes(sha256)}
            header = {"type": "file", "name": _HEADER, "hashes": _hashes(record.header_sha256)}
            yield object_name(path), (source, header)


def _tools(records: Sequence[ScriptRecord]) -> Iterator[_Json]:
    """What packed, and each compiler once."""
    yield _tool("zeroserve", __version__)
    for name, version, flags in sorted({(e.compiler, e.version, e.flags) for e in records}):
        yield {**_tool(name, version), "properties": _properties(flags=" ".join(flags))}


def _tool(name: str, version: str) -> _Json:
    tool: _Json = {"type": "application", "name": name, "version": version}
    # What came from the system has no package that could be named from here.
    if name in ("zeroserve", "ziglang"):
        tool["purl"] = f"pkg:pypi/{name}@{version}"
    return tool


def _file(member: Member, made_of: Sequence[_Json]) -> _Json:
    found: _Json = {
        "type": "file",
        "bom-ref": _reference(member.path),
        "name": member.path,
        "mime-type": member.content_type.partition(";")[0].strip(),
        "hashes": _hashes(member.sha256.hex()),
    }
    if made_of:
        found["pedigree"] = {"ancestors": list(made_of)}
    found["properties"] = _properties(size=member.size)
    return found


def _reference(path: str) -> str:
    return f"file:{path}"


def _hashes(sha256: str) -> list[_Json]:
    return [{"alg": "SHA-256", "content": sha256}]


def _properties(**values: object) -> list[_Json]:
    return [
        {"name": f"zeroserve:{name.replace('_', '-')}", "value": str(value)}
        for name, value in values.items()
    ]
