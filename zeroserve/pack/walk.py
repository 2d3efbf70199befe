"""Walk: a folder in, the list of files to pack out, sorted by the bytes of their paths.

Nothing is followed silently.

What is left out is named in a warning; what would make the archive wrong is refused.
"""

import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from zeroserve.errors import PackRefused
from zeroserve.pack.member_index import INDEX_PATH

PATH_BYTES_MAX = 4096  # the engine's limit, and that of Linux for a whole path
KEY_SNIFF_BYTES = 64 << 10  # a PEM bundle that hides its key further down than this is no accident

ALWAYS_KEPT = frozenset({".well-known", ".zeroserve"})
VCS_NAMES = frozenset({".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS"})
KEY_NAMES = frozenset({"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"})
KEY_SUFFIXES = (".key", ".p12", ".pfx", ".jks", ".ppk")
BACKUP_NAME = re.compile(r".*~|\.#.*|#.*#|\..*\.sw[a-p]|.*\.(?:bak|orig)", re.DOTALL)
PRIVATE_KEY_LINE = re.compile(rb"^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that will be packed: its name in the archive, where it is, and its size in bytes."""

    path: str
    source: Path
    size: int


@dataclass(frozen=True, slots=True)
class Walk:
    """What a tree holds. `warnings` name, one a line, everything that was left out."""

    files: tuple[SourceFile, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Walker:
    root: Path
    real_root: str
    include_hidden: bool
    files: list[SourceFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def walk(directory: Path, *, include_hidden: bool) -> Walk:
    """List the files below `directory`.

    `include_hidden` keeps what would be left out by its name or content.

    Raises `PackRefused`: not a directory, unreadable, a link out of the tree, names that cannot be
    stored.
    """
    if not directory.is_dir():
        raise PackRefused("pack-not-directory", f"--pack expects a directory, got `{directory}`")
    walker = _Walker(directory, os.path.realpath(directory), include_hidden)
    _visit(walker, directory, "")
    _refuse_equal_names(walker.files)
    walker.files.sort(key=lambda file: file.path.encode())
    if not walker.files:
        raise PackRefused("pack-empty", f"`{directory}` has no file to pack")
    return Walk(tuple(walker.files), tuple(sorted(walker.warnings)))


def _visit(walker: _Walker, directory: Path, prefix: str) -> None:
    try:
        with os.scandir(directory) as entries:
            ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise _unreadable(directory, error) from error
    for entry in ordered:
        path = prefix + _utf8(entry.name, directory)
        reason = None if walker.include_hidden else _reason_by_name(entry.name)
        if reason is None and path == INDEX_PATH:
            reason = "pack writes it itself"
        if reason is not None:
            walker.warnings.append(f"left out `{path}`: {reason}")
            continue
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
            size = entry.stat(follow_symlinks=False).st_size
        except OSError as error:
            raise _unreadable(Path(entry.path), error) from error
        if stat.S_ISDIR(mode):
            _visit(walker, Path(entry.path), path + "/")
        elif stat.S_ISREG(mode):
            _add_file(walker, SourceFile(path, Path(entry.path), size))
        elif stat.S_ISLNK(mode):
            _judge_link(walker, Path(entry.path), path)
        else:
            walker.warnings.append(f"left out `{path}`: neither a file nor a directory")


def _utf8(name: str, directory: Path) -> str:
    try:
        os.fsencode(name).decode()
    except UnicodeDecodeError:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        raise PackRefused(
            "pack-name",
            f"a name in `{directory}` is not UTF-8: `{shown}`",
            hint="rename the file",
        ) from None
    return os.fsencode(name).decode()


def _reason_by_name(name: str) -> str | None:
    if name in ALWAYS_KEPT:
        return None
    if name in VCS_NAMES:
        return "version control"
    if name.startswith(".env"):
        return "environment files often hold secrets"
    if name in KEY_NAMES or name.lower().endswith(KEY_SUFFIXES):
        return "a private key by its name"
    if BACKUP_NAME.fullmatch(name):
        return "an editor's backup"
    return None


def _add_file(walker: _Walker, file: SourceFile) -> None:
    if len(file.path.encode()) > PATH_BYTES_MAX:
        raise PackRefused("pack-name", f"`{file.path[:80]}…` is longer than {PATH_BYTES_MAX} bytes")
    if not walker.include_hidden and _holds_private_key(file.source):
        walker.warnings.append(f"left out `{file.path}`: it holds a private key")
        return
    walker.files.append(file)


def _holds_private_key(source: Path) -> bool:
    # Only a file that *begins* as PEM counts: manuals that show a key in the middle of a page are
    # no secrets.
    try:
        with source.open("rb") as file:
            head = file.read(512)
            if not head.lstrip().startswith((b"-----BEGIN ", b"Bag Attributes")):
                return False
            return PRIVATE_KEY_LINE.search(head + file.read(KEY_SNIFF_BYTES)) is not None
    except OSError as error:
        raise _unreadable(source, error) from error


def _judge_link(walker: _Walker, link: Path, path: str) -> None:
    target = os.path.realpath(link)
    if target != walker.real_root and not target.startswith(walker.real_root.rstrip("/") + "/"):
        raise PackRefused(
            "pack-link-outside",
            f"`{path}` is a link out of the tree, to `{link.readlink()}`",
            hint="put a copy of the file there, or remove the link",
        )
    walker.warnings.append(f"left out `{path}`: a symbolic link (to `{link.readlink()}`)")


def _refuse_equal_names(files: list[SourceFile]) -> None:
    seen: dict[str, str] = {}
    for file in files:
        normal = unicodedata.normalize("NFC", file.path)
        other = seen.setdefault(normal, file.path)
        if other != file.path:
            raise PackRefused(
                "pack-duplicate",
                f"two files are both named `{normal}`, in different Unicode forms",
                hint="rename one of them",
            )


def _unreadable(path: Path, error: OSError) -> PackRefused:
    why = (error.strerror or str(error)).lower()
    return PackRefused("pack-unreadable", f"`{path}`: {why}")
