"""A wheel becomes a virtual environment in which one version of the daemon runs.

What the wheel needs besides itself comes from the installation that `zsops-host` belongs to: hosts
need no package registry, and what would not run for want of a dependency is found out here.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from zsops import process
from zsops.errors import ProgramRefused

_RUN_TIMEOUT_S = 60.0


def install(wheel: Path, home: Path, version: str) -> None:
    """Make `home` afresh, see that its `zeroserve` says `version`, and sync it all.

    Raises ProgramRefused for a wheel that is none of ours, or does not run here; OSError.
    """
    shutil.rmtree(home, ignore_errors=True)
    try:
        _make_environment(home)
        _unpack(wheel, home)
        _try_out(home, version)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    os.sync()  # thousands of small files: one by one takes many times longer


def _make_environment(home: Path) -> None:
    import venv

    venv.EnvBuilder(symlinks=True, with_pip=False).create(home)
    # After the wheel's own folder in the search path, so that its packages win.
    (_packages(home) / "zsops-base.pth").write_text(
        "".join(
            f"{each}\n" for each in dict.fromkeys(map(sysconfig.get_path, ("purelib", "platlib")))
        )
    )


def _packages(home: Path) -> Path:
    return home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def _unpack(wheel: Path, home: Path) -> None:
    from zipfile import BadZipFile

    from installer import install as install_wheel
    from installer.destinations import SchemeDictionaryDestination
    from installer.exceptions import InstallerError
    from installer.sources import WheelFile

    packages = str(_packages(home))
    scheme = {"purelib": packages, "platlib": packages, "scripts": str(home / "bin"),
              "headers": str(home / "include"), "data": str(home)}  # fmt: skip
    destination = SchemeDictionaryDestination(
        scheme, interpreter=str(home / "bin" / "python"), script_kind="posix"
    )
    # A blob has no wheel's name, which the library wants to read.
    named = home / "zeroserve-0-py3-none-any.whl"
    try:
        shutil.copyfile(wheel, named)
        with WheelFile.open(named) as source:
            source.validate_record()
            install_wheel(source, destination, additional_metadata={"INSTALLER": b"zsops\n"})
    except (InstallerError, BadZipFile, KeyError, ValueError, AssertionError) as error:
        raise ProgramRefused(
            f"this is no wheel that can be installed: {error}", hint="build it again"
        ) from error
    finally:
        named.unlink(missing_ok=True)


def _try_out(home: Path, version: str) -> None:
    program = home / "bin" / "zeroserve"
    try:
        done = process.run([str(program), "--version"], timeout_s=_RUN_TIMEOUT_S)
    except FileNotFoundError as error:
        raise ProgramRefused("the wheel has no program `zeroserve`") from error
    except TimeoutError as error:
        raise ProgramRefused(str(error)) from error
    if done.code != 0:
        lines = [line for line in done.errors.splitlines() if line.strip()]
        raise ProgramRefused(
            f"version {version} does not run on this host: {lines[-1] if lines else done.code}",
            hint="its dependencies must be in the installation that `zsops-host` belongs to",
        )
    if version not in done.output.split():
        raise ProgramRefused(f"the wheel says `{done.output.strip()}`, {version} was announced")
