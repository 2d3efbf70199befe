"""Generation: files become the spec of what the engine shall serve next.

Everything is resolved anew for each load. A release directory is opened once and its files are read
relative to that descriptor, so a symlink that is switched meanwhile cannot mix two releases.
"""

import json
import os

from zeroserve.config.record import Record
from zeroserve.control.files import read_file, why
from zeroserve.control.tls_files import load_tls
from zeroserve.errors import ConfigRefused, ReleaseRefused, SiteRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from zeroserve.config.model import ServerConfig

MANIFEST_BYTES_MAX = 64 << 10
SITE_NAME = "site.tar"
MANIFEST_NAME = "manifest.json"

# The head of a packed archive: a tar header with this name, then the index with its digest.
_INDEX_NAME = b".zeroserve/members.bin\0"
_INDEX_MAGIC = b"ZSMEMBR1"
_INDEX_MAGIC_AT = 512
_INDEX_DIGEST_AT = 512 + 16
_HEAD_BYTES = 512 + 64


class Material(Record):
    """What one generation is built from. `site_fd` is open until `close`.

    `site_digest` is what the release's manifest states, None without a release.
    """

    site_fd: int
    site_path: str
    release: str | None
    release_digest: str
    site_digest: str | None
    tls: "dict[str, Any] | None"

    def spec(self, number: int) -> "dict[str, Any]":
        """The engine's spec of this generation, which gets this number."""
        return {
            "id": number,
            "site": {"fd": self.site_fd, "path": self.site_path},
            "release_digest": self.release_digest,
            "tls": self.tls,
        }

    def close(self) -> None:
        """Close the site; the engine has its own duplicate."""
        os.close(self.site_fd)


def load_material(config: "ServerConfig") -> Material:
    """Open and read everything. Raises `ZeroserveError`s that name the file."""
    if config.release is not None:
        return _load_release(config, config.release)
    assert config.site is not None
    descriptor = _open_site(config.site, None, config.site)
    try:
        return Material(
            site_fd=descriptor,
            site_path=config.site,
            release=None,
            release_digest=_release_digest(descriptor, config.site),
            site_digest=None,
            tls=load_tls(config, None),
        )
    except BaseException:
        os.close(descriptor)
        raise


def _load_release(config: "ServerConfig", directory: str) -> Material:
    try:
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ReleaseRefused(
            "release-missing", f"release directory `{directory}`: {why(error)}"
        ) from error
    try:
        manifest = _read_manifest(root, directory)
        site_path = f"{directory}/{SITE_NAME}"
        descriptor = _open_site(SITE_NAME, root, site_path)
        try:
            _compare_manifest(manifest, descriptor, directory)
            return Material(
                site_fd=descriptor,
                site_path=site_path,
                release=manifest["release"],
                release_digest=manifest["release_digest"],
                site_digest=manifest["site_digest"],
                tls=load_tls(config, root),
            )
        except BaseException:
            os.close(descriptor)
            raise
    finally:
        os.close(root)


def _open_site(path: str, root: int | None, shown: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=root)
    except FileNotFoundError:
        raise SiteRefused(
            "site-missing",
            f"`{shown}` does not exist",
            hint="make it: `zeroserve pack DIR -o SITE.tar`",
        ) from None
    except OSError as error:
        raise SiteRefused("site-unreadable", f"`{shown}`: {why(error)}") from error
    mode, size = os.fstat(descriptor).st_mode, os.fstat(descriptor).st_size
    kind = mode & 0o170000
    if kind == 0o100000 and size > 0:
        return descriptor
    os.close(descriptor)
    if kind == 0o040000:
        raise SiteRefused(
            "site-is-directory",
            f"`{shown}` is a directory, a tarball is wanted",
            hint=f"pack it (`zeroserve pack {shown} -o SITE.tar`), or name a release directory "
            "with `--release`",
        )
    if kind != 0o100000:
        raise SiteRefused("site-unreadable", f"`{shown}` is not a regular file")
    raise SiteRefused("site-empty", f"`{shown}` is empty")


def _read_manifest(root: int, directory: str) -> "dict[str, Any]":
    shown = f"{directory}/{MANIFEST_NAME}"
    try:
        raw = read_file(root, MANIFEST_NAME, MANIFEST_BYTES_MAX)
    except OSError as error:
        raise ReleaseRefused(
            "manifest-missing",
            f"`{shown}`: {why(error)}",
            hint=f"is `{directory}` a release directory? a tarball is given without `--release`",
        ) from error
    return parse_manifest(raw, shown)


def parse_manifest(raw: bytes, shown: str) -> "dict[str, Any]":
    """The fields of a release manifest. Raises `ReleaseRefused` (`manifest-bad`)."""
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        raise ReleaseRefused("manifest-bad", f"`{shown}` is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("v") != 1:
        raise ReleaseRefused("manifest-bad", f"`{shown}` is no manifest of version 1")
    for name in ("release", "release_digest", "site_digest"):
        value = manifest.get(name)
        digest = name.endswith("_digest")
        if not isinstance(value, str) or (digest and not is_digest(value)):
            raise ReleaseRefused("manifest-bad", f"`{shown}` has no good `{name}`")
    if not isinstance(manifest.get("size"), int):
        raise ReleaseRefused("manifest-bad", f"`{shown}` has no good `size`")
    return manifest


def is_digest(text: str) -> bool:
    """Whether this is the text form of a SHA-256."""
    hexadecimal = text.removeprefix("sha256:")
    return (
        text.startswith("sha256:")
        and len(hexadecimal) == 64
        and not hexadecimal.strip("0123456789abcdef")
    )


def _compare_manifest(manifest: "dict[str, Any]", site: int, directory: str) -> None:
    size = os.fstat(site).st_size
    if size != manifest["size"]:
        raise _mismatch(directory, f"it states {manifest['size']} bytes, the file has {size}")
    head = os.pread(site, _HEAD_BYTES, 0)
    if not head.startswith(_INDEX_NAME) or head[_INDEX_MAGIC_AT:][:8] != _INDEX_MAGIC:
        return  # an archive made elsewhere; its members are hashed by the engine
    stated = "sha256:" + head[_INDEX_DIGEST_AT : _INDEX_DIGEST_AT + 32].hex()
    if stated != manifest["site_digest"]:
        raise _mismatch(directory, f"it states site digest {manifest['site_digest']}, not {stated}")


def _mismatch(directory: str, what: str) -> ReleaseRefused:
    return ReleaseRefused(
        "manifest-mismatch",
        f"`{directory}/{MANIFEST_NAME}` does not fit `{SITE_NAME}`: {what}",
        hint="stage the release again",
    )


def _release_digest(descriptor: int, shown: str) -> str:
    # By the engine: six times as fast as the interpreter's own SHA-256, and the library of
    # `hashlib` would stay in memory for good (2.4 MB measured).
    from zeroserve.bridge.handles import release_digest

    try:
        return release_digest(descriptor, shown)
    except ConfigRefused as error:
        raise SiteRefused("site-unreadable", error.message) from error
