"""Compiler: which C compiler makes the objects, where it is, and its version.

`auto` is the pinned `ziglang` wheel, so that one source gives one object on every machine. `clang`,
or a path to one, is for those who want their own.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from zeroserve.errors import PackRefused
from zeroserve.process import run_to_end
from zeroserve.scripts.job import AUTO
from zeroserve.sdk import HEADER

#: The version of the wheel that `pyproject.toml` pins: another one may make other bytes.
ZIGLANG_VERSION = "0.15.2"
VERSION_SECONDS_MAX = 20.0

#: eBPF v3, frames of up to 8 KiB, line information without a trace of where it was made. What
#: depends on the hour of compiling (`__DATE__`) is an error.
FLAGS = (
    *("-O2", "-mcpu=v3", "-fno-builtin", "-fno-asynchronous-unwind-tables"),
    *("-mllvm", "-bpf-stack-size=8192"),
    *("-g", "-fdebug-compilation-dir=."),
    *("-Wall", "-Werror=date-time", "-fno-color-diagnostics"),
)


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler that was found. `command` is the beginning of every call."""

    name: str
    version: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    #: Folders of its own headers: what lies there is part of its version.
    own_folders: tuple[str, ...]


def find_compiler(choice: str) -> Compiler:
    """The compiler that `choice` means: `auto`, `clang`, or the path of a clang.

    Raises `PackRefused` (`script-compiler`) when it is not there, or is another version than the
    pinned one.
    """
    return _ziglang() if choice == AUTO else _clang(choice)


def _ziglang() -> Compiler:
    hint = "`pip install 'zeroserve[compiler]'`, or `--ebpf-compiler clang` for your own"
    try:
        found = version("ziglang")
        spec = find_spec("ziglang")
    except PackageNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise PackRefused(
            "script-compiler", "the site has scripts, and there is no compiler for them", hint=hint
        )
    if found != ZIGLANG_VERSION:
        raise PackRefused(
            "script-compiler",
            f"`ziglang` is {found} here and {ZIGLANG_VERSION} is wanted: another version makes "
            "other bytes",
            hint=hint,
        )
    folder = Path(spec.submodule_search_locations[0])
    return Compiler(
        name="ziglang",
        version=found,
        command=(str(folder / "zig"), "cc", "-target", "bpfel-freestanding-none"),
        flags=(*FLAGS, f"-ffile-prefix-map={folder}=ziglang"),
        own_folders=(f"{folder}/",),
    )


def _clang(choice: str) -> Compiler:
    program = shutil.which(choice)
    if program is None:
        raise PackRefused(
            "script-compiler",
            f"there is no program `{choice}` to compile the scripts with",
            hint="give its path, or leave `--ebpf-compiler` out to use the pinned compiler",
        )
    # Its own headers are named by their folder in line information: that of another machine
    # differs. `-print-resource-dir` is where they are.
    said = _ask(program, "--version")
    folder = _ask(program, "-print-resource-dir")
    if "clang" not in said:
        raise PackRefused("script-compiler", f"`{program}` is no clang: it says `{said}`")
    return Compiler(
        name="clang",
        version=said,
        command=(str(Path(program).absolute()), "-target", "bpfel"),
        flags=(*FLAGS, f"-ffile-prefix-map={folder}=clang"),
        own_folders=(f"{folder}/",),
    )


def _ask(program: str, question: str) -> str:
    """The first line of a compiler's answer."""
    try:
        done = run_to_end([program, question], cwd=None, env={}, seconds_max=VERSION_SECONDS_MAX)
    except (OSError, TimeoutError) as error:
        raise PackRefused("script-compiler", f"`{program}` cannot be started: {error}") from error
    return done.output.partition("\n")[0].strip()


def flags_of_record(compiler: Compiler) -> list[str]:
    """The flags as they are written down: without a path of this machine."""
    return [flag for flag in compiler.flags if not flag.startswith("-ffile-prefix-map")]


def header_bytes() -> bytes:
    """The SDK's header, as scripts include it."""
    return HEADER.read_bytes()
