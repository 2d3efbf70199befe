"""Sites with scripts: C source in, a tar with compiled objects out, as any packer might make it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from support.process import run
from support.trees import foreign_tar
from zeroserve.scripts.compiler import find_compiler
from zeroserve.scripts.job import AUTO


def compile_script(source: str, place: Path, name: str = "script") -> bytes:
    """The object of a script's C source, which includes `zeroserve.h` by itself."""
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.c").write_text(f"#include <zeroserve.h>\n{source}")
    headers = str(files("zeroserve.sdk"))
    compiler = find_compiler(AUTO)
    argv = [*compiler.command, *compiler.flags, "-Wall", "-Werror", f"-I{headers}"]
    done = run([*argv, "-c", f"{name}.c", "-o", f"{name}.o"], cwd=place, timeout_s=120)
    assert done.code == 0, done.stderr
    return (place / f"{name}.o").read_bytes()


def scripted_tar(tar: Path, scripts: Mapping[str, str], pages: Mapping[str, bytes]) -> Path:
    """A tar with these pages, and these scripts compiled."""
    members = [
        (
            f".zeroserve/scripts/{name}.o",
            compile_script(source, tar.with_name(f"{tar.name}.objects"), name),
        )
        for name, source in scripts.items()
    ]
    return foreign_tar(tar, [*members, *pages.items()])
