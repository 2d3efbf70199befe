"""A wheel becomes a virtual environment in which one version of the daemon runs.

What the wheel needs besides itself comes from the installation that `zsops-host` belongs to: hosts
need no package registry, and what would not run for want of a dependency is found out here.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import sysconfig
from pathlib import Path

from zsops import process
from zsops.errors import ProgramRefused

_RUN_TIMEOUT_S = 60.0
#: Ours has some 400 members and 20 MB.
_MEMBERS_MAX, _BYTES_MAX = 10_000, 1 << 30
_REASON_MAX = 500
#: The wheel's own fault: its names are in each other's way, or are none. None: the library's word.
_OF_ITS_NAMES = (
    None, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ
)  # fmt: skip


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
    from installer import install as install_wheel
    from installer.destinations import SchemeDictionaryDestination
    from installer.sources import WheelFile

    packages = str(_packages(home))
    scheme = {"purelib": packages, "platlib": packages, "scripts": str(home / "bin"),
              "headers": str(home / "include"), "data": str(home)}  # fmt: skip
    destination = SchemeDictionaryDestination(
        scheme, interpreter=str(home / "bin" / "python"), script_kind="posix"
    )
    # A blob has no wheel's name, which the library wants to read.
    named = home / "zeroserve-0-py3-none-any.whl"
    shutil.copyfile(wheel, named)
    try:
        _refuse_odd(named)
        with WheelFile.open(named) as source:
            source.validate_record()
            install_wheel(source, destination, additional_metadata={"INSTALLER": b"zsops\n"})
    except OSError as error:
        if error.errno not in _OF_ITS_NAMES:
            raise
        raise _refused(error) from error
    except ProgramRefused:
        raise
    except Exception as error:  # what the bytes of others make of two libraries' parsers
        raise _refused(error) from error
    finally:
        named.unlink(missing_ok=True)


def _refused(error: Exception) -> ProgramRefused:
    reason = str(error) or type(error).__name__
    return ProgramRefused(
        f"this is no wheel that can be installed: {reason[:_REASON_MAX]}", hint="build it again"
    )


def _refuse_odd(wheel: Path) -> None:
    """ProgramRefused for what no wheel of ours has, before anything is unpacked. The sizes it
    claims bound what is written: the library stops there, and compares a checksum.
    """
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

    with ZipFile(wheel) as archive:
        members = archive.infolist()
    if len(members) > _MEMBERS_MAX:
        raise ProgramRefused(f"the wheel has {len(members)} members, at most {_MEMBERS_MAX} may be")
    total = sum(each.file_size for each in members)
    if total > _BYTES_MAX:
        raise ProgramRefused(f"the wheel unpacks to {total} bytes, at most {_BYTES_MAX} may be")
    seen: set[str] = set()
    for each in members:
        name, mode = each.filename, each.external_attr >> 16
        plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
        packed = each.compress_type in (ZIP_STORED, ZIP_DEFLATED) and not each.flag_bits & 1
        # What the reader makes of a name that holds a NUL or a `\\` is another name.
        if name != each.orig_filename or name in seen or not plain or not packed:
            raise ProgramRefused(f"the wheel has an odd member `{each.orig_filename!r}`")
        seen.add(name)


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
