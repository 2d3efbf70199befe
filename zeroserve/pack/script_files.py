"""Script files: what lies in the scripts' folders of a tree becomes what is packed.

Sources become objects and are left out; objects that were made elsewhere are kept; cases for
`zeroserve test` are left out. A document says what the objects were made with.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zeroserve.errors import PackRefused
from zeroserve.pack.digested import opened
from zeroserve.pack.script_paths import SCRIPTS_FOLDER, is_script
from zeroserve.pack.walk import SourceFile
from zeroserve.scripts.job import AUTO, Compiled, CompileJob

if TYPE_CHECKING:
    from zeroserve.scripts.compile import Progress
    from zeroserve.scripts.compiler import Compiler

CASES_FOLDER = ".zeroserve/tests/"
#: What the objects of a root were made with.
RECORD_PATH = ".zeroserve/scripts.json"
SOURCE_BYTES_MAX = 16 << 20
_ELF_RELOCATABLE = 1
_ELF_MACHINE_BPF = 247


@dataclass(frozen=True, slots=True)
class ScriptChoice:
    """How scripts are compiled. `cache` is off when two builds are compared."""

    compiler: str = AUTO
    cache: bool = True


SCRIPTS_DEFAULT = ScriptChoice()


@dataclass(frozen=True, slots=True)
class ScriptFiles:
    """The files to pack, sorted by the bytes of their paths, and what to tell the author."""

    files: tuple[SourceFile, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def compile_script_files(
    files: Sequence[SourceFile],
    prefixes: Sequence[str],
    scratch: Path,
    choice: ScriptChoice,
    progress: Progress | None = None,
) -> ScriptFiles:
    """Compile the scripts of every root (`prefixes`). Objects are written below `scratch`.

    Raises `PackRefused`: `script-compiler`, `script-compile`, `script-twice`, `script-object`,
    `script-place`, and `pack-unreadable`.
    """
    kept = {file.path: file for file in files if not _is_case(file.path, prefixes)}
    scripts = [file for file in kept.values() if is_script(file.path)]
    cases = len(kept) < len(files)
    notes = [f"left out `{CASES_FOLDER}`: cases for `zeroserve test`"] if cases else []
    for file in scripts:
        _judge_place(file, prefixes, kept)
    sources = [file for file in scripts if file.path.endswith(".c")]
    jobs = list(_jobs(sources, prefixes, kept))
    if not jobs:
        return ScriptFiles(_sorted(kept), (), tuple(notes))
    # Most sites have no scripts, and hosts pack one at their first deployment.
    from zeroserve.scripts.cache import Cache, default_folder
    from zeroserve.scripts.compile import compile_scripts
    from zeroserve.scripts.compiler import find_compiler

    compiler = find_compiler(choice.compiler)
    cache = Cache(default_folder(os.environ) if choice.cache else None)
    made = compile_scripts(jobs, compiler, cache, progress)
    for number, (job, one) in enumerate(zip(jobs, made, strict=True)):
        del kept[job.path]
        _add(kept, object_name(job.path), one.content, scratch / f"script-{number}.o")
    warnings = [one.diagnostics for one in made if one.diagnostics]
    for number, (path, document) in enumerate(_records(jobs, prefixes, compiler)):
        if path in kept:
            warnings.append(f"left out `{path}`: pack writes it itself")
        _add(kept, path, document, scratch / f"scripts-{number}.json")
    notes += _account(made, compiler)
    return ScriptFiles(_sorted(kept), tuple(warnings), tuple(notes))


def object_name(path: str) -> str:
    """The name under which a source's object is packed."""
    return f"{path.removesuffix('.c')}.o"


def _is_case(path: str, prefixes: Sequence[str]) -> bool:
    return any(path.startswith(prefix + CASES_FOLDER) for prefix in {"", *prefixes})


def _judge_place(file: SourceFile, prefixes: Sequence[str], files: dict[str, SourceFile]) -> None:
    if not any(file.path.startswith(prefix + SCRIPTS_FOLDER) for prefix in prefixes):
        raise PackRefused(
            "script-place",
            f"`{file.source}` lies in no root of the site, so it would never run",
            hint=f"move it below `{prefixes[0]}{SCRIPTS_FOLDER}`",
        )
    if file.path.endswith(".c"):
        if object_name(file.path) in files:
            raise PackRefused(
                "script-twice",
                f"`{file.source}` has an object of the same name beside it",
                hint="remove one of them: which one is meant cannot be seen",
            )
        return
    with opened(file) as source:
        head = source.read(20)
    kind, machine = int.from_bytes(head[16:18], "little"), int.from_bytes(head[18:20], "little")
    if head[:6] != b"\x7fELF\x02\x01" or (kind, machine) != (_ELF_RELOCATABLE, _ELF_MACHINE_BPF):
        raise PackRefused(
            "script-object",
            f"`{file.source}` is no eBPF object",
            hint="compile it with `-target bpf -c`, or leave the `.c` there and pack does it",
        )


def _jobs(
    sources: Sequence[SourceFile], prefixes: Sequence[str], files: dict[str, SourceFile]
) -> Iterator[CompileJob]:
    """One job a source, in their order. What scripts of a folder may include is read once."""
    included: dict[str, dict[str, bytes]] = {}
    for file in sources:
        prefix = next(one for one in prefixes if file.path.startswith(one + SCRIPTS_FOLDER))
        folder = prefix + SCRIPTS_FOLDER
        if folder not in included:
            included[folder] = {
                path: _read(each)
                for path, each in files.items()
                if path.startswith(folder) and not is_script(path)
            }
        shown = str(file.source).removesuffix(file.path.removeprefix(folder))
        yield CompileJob(file.path, _read(file), folder, included[folder], shown)


def _records(
    jobs: Sequence[CompileJob], prefixes: Sequence[str], compiler: Compiler
) -> Iterator[tuple[str, bytes]]:
    """A document for each root that has sources: what its objects were made of, and with."""
    from zeroserve.scripts.compiler import flags_of_record, header_bytes

    for prefix in prefixes:
        own = [job for job in jobs if job.folder == prefix + SCRIPTS_FOLDER]
        if not own:
            continue
        document = {
            "v": 1,
            "compiler": compiler.name,
            "version": compiler.version,
            "flags": flags_of_record(compiler),
            "header_sha256": hashlib.sha256(header_bytes()).hexdigest(),
            "sources": {
                job.path.removeprefix(job.folder): hashlib.sha256(job.content).hexdigest()
                for job in own
            },
        }
        yield prefix + RECORD_PATH, json.dumps(document, indent=1).encode() + b"\n"


def _account(made: Sequence[Compiled], compiler: Compiler) -> list[str]:
    known = sum(one.from_cache for one in made)
    cached = f", {known} of them known from before" if known else ""
    scripts = "1 script" if len(made) == 1 else f"{len(made)} scripts"
    return [
        f"compiled {scripts} with {compiler.name} {compiler.version}{cached}; the sources are left "
        "out"
    ]


def _add(files: dict[str, SourceFile], path: str, content: bytes, place: Path) -> None:
    place.write_bytes(content)
    files[path] = SourceFile(path, place, len(content))


def _read(file: SourceFile) -> bytes:
    with opened(file) as source:
        content = source.read(SOURCE_BYTES_MAX + 1)
    if len(content) > SOURCE_BYTES_MAX:
        raise PackRefused("script-compile", f"`{file.source}` is larger than 16 MiB")
    return content


def _sorted(files: dict[str, SourceFile]) -> tuple[SourceFile, ...]:
    return tuple(sorted(files.values(), key=lambda file: file.path.encode()))
