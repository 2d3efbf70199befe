"""Compile: several scripts side by side, each in a folder of its own that holds what it may see.

A script sees its source, the header of the SDK and what lies beside it and is no script (headers).
So its object depends on nothing else, and the cache's key is the whole truth.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zeroserve.errors import PackRefused
from zeroserve.process import run_to_end
from zeroserve.scripts.advice import advice
from zeroserve.scripts.cache import Cache, key_of
from zeroserve.scripts.compiler import Compiler, flags_of_record, header_bytes
from zeroserve.scripts.job import Compiled, CompileJob

COMPILE_SECONDS_MAX = 120.0
DIAGNOSTIC_LINES_MAX = 200
SDK_FOLDER = "sdk/"
#: Lines in which a compiler repeats the source: nothing is replaced in them.
_EXCERPT = re.compile(r"\s*\d*\s*\|")

Progress = Callable[[int, int], None]


class CompileFailed(PackRefused):  # named like its neighbours in `errors`
    """Scripts that do not compile. `diagnostics` has the author's paths."""

    def __init__(self, names: Sequence[str], diagnostics: str) -> None:
        """Make the refusal from the scripts' names and what the compiler said."""
        which = ", ".join(f"`{name}`" for name in names)
        does = "does" if len(names) == 1 else "do"
        message = f"{which} {does} not compile\n{diagnostics}"
        super().__init__("script-compile", message, hint=advice(diagnostics))
        self.diagnostics = diagnostics


def compile_scripts(
    jobs: Sequence[CompileJob],
    compiler: Compiler,
    cache: Cache,
    progress: Progress | None = None,
) -> list[Compiled]:
    """The objects of `jobs`, in their order. `progress` is told how many are done, and of how many.

    Raises `CompileFailed` with what the compiler said about all that failed, or `PackRefused`
    (`script-compile`) when a compile ends in no other way.
    """
    header = header_bytes()
    made: list[Compiled] = []
    failed: list[tuple[CompileJob, str]] = []

    def one(job: CompileJob) -> Compiled | str:
        identity = (compiler.name, compiler.version, *flags_of_record(compiler))
        key = key_of(job, header, identity)
        known = cache.get(key)
        if known is not None:
            return known
        result = _compile(job, compiler, header)
        if isinstance(result, Compiled):
            cache.put(key, result)
        return result

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        for number, (job, result) in enumerate(zip(jobs, threads.map(one, jobs), strict=True), 1):
            if isinstance(result, Compiled):
                made.append(result)
            else:
                failed.append((job, result))
            if progress is not None:
                progress(number, len(jobs))
    cache.prune()
    if failed:
        names = [_shown(job) for job, _ in failed]
        raise CompileFailed(names, "\n".join(said for _, said in failed))
    return made


def _compile(job: CompileJob, compiler: Compiler, header: bytes) -> Compiled | str:
    """The object, or what the compiler said against it."""
    with tempfile.TemporaryDirectory(prefix="zeroserve-compile-") as scratch:
        place = Path(scratch) / "tree"
        for path, content in {
            **job.includes,
            job.path: job.content,
            f"{SDK_FOLDER}zeroserve.h": header,
        }.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content)
        target, needs = Path(scratch) / "out.o", Path(scratch) / "out.d"
        argv = [*compiler.command, *compiler.flags, f"-I{SDK_FOLDER}", f"-I{job.folder}"]
        argv += ["-MD", "-MF", str(needs), "-c", job.path, "-o", str(target)]
        try:
            done = run_to_end(
                argv, cwd=place, env=_environment(scratch), seconds_max=COMPILE_SECONDS_MAX
            )
        except TimeoutError:
            return f"{_shown(job)}: the compiler took longer than {COMPILE_SECONDS_MAX:g} s"
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return f"{_shown(job)}: the compiler cannot be started: {why}"
        said = _readable(done.output, job)
        if done.code != 0 or not target.is_file():
            return said or f"{_shown(job)}: the compiler ended with {done.code}"
        strange = _strange_includes(needs, place, compiler)
        if strange:
            return (
                f"{_shown(job)}: `{strange[0]}` is included from outside of the scripts' folder, "
                "so that another machine would make another object"
            )
        return Compiled(target.read_bytes(), said)


def _environment(scratch: str) -> dict[str, str]:
    # Nothing of the caller's: variables such as CPATH change what is included.
    folders = {name: f"{scratch}/{name.lower()}" for name in ("HOME", "TMPDIR")}
    for folder in folders.values():
        Path(folder).mkdir(exist_ok=True)
    return {
        **folders,
        "LC_ALL": "C",
        "PATH": os.defpath,
        "ZIG_GLOBAL_CACHE_DIR": f"{scratch}/zig-global",
        "ZIG_LOCAL_CACHE_DIR": f"{scratch}/zig-local",
    }


def _strange_includes(needs: Path, place: Path, compiler: Compiler) -> list[str]:
    """Files that took part and are neither staged nor the compiler's own."""
    text = needs.read_text(errors="replace").replace("\\\n", " ")
    names = re.split(r"(?<!\\)\s+", text.partition(": ")[2].strip())
    inside = (f"{place}/", *compiler.own_folders)
    paths = (os.path.normpath(place / name.replace("\\ ", " ")) for name in names if name)
    return [path for path in paths if not path.startswith(inside)]


def _readable(text: str, job: CompileJob) -> str:
    """The compiler's words with the author's paths, cut when there are very many lines."""
    lines = []
    for line in text.rstrip().splitlines():
        if not _EXCERPT.match(line):
            line = line.replace(job.folder, job.shown).replace(SDK_FOLDER, "")  # noqa: PLW2901
        lines.append(line)
    if len(lines) > DIAGNOSTIC_LINES_MAX:
        lines[DIAGNOSTIC_LINES_MAX:] = [f"… {len(lines) - DIAGNOSTIC_LINES_MAX} further lines"]
    return "\n".join(lines)


def _shown(job: CompileJob) -> str:
    return job.shown + job.path.removeprefix(job.folder)
