"""A wheel of the daemon as the operator has it: which version it is, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

from zsops.errors import BuildError

_NAME = "zeroserve"
_METADATA = ".dist-info/METADATA"
_METADATA_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """A file that can be sent to hosts."""

    path: Path
    version: str
    digest: str
    size: int


def read_wheel(path: Path) -> Wheel:
    """Raises BuildError for what is no wheel of zeroserve."""
    try:
        text, content = _metadata(path), path.read_bytes()
    except OSError as error:
        raise BuildError(f"the wheel `{path}` cannot be read: {error.strerror or error}") from error
    except Exception as error:  # what the bytes of others make of the library's parser
        reason = str(error) or type(error).__name__
        raise BuildError(f"the wheel `{path}` cannot be read: {reason}") from error
    headers = HeaderParser().parsestr(text)
    if headers.get("Name") != _NAME or not headers.get("Version"):
        raise BuildError(f"`{path}` is no wheel of {_NAME}", hint="`maturin build --release` makes one")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Wheel(path, str(headers["Version"]), digest, len(content))


def _metadata(path: Path) -> str:
    """Empty for what has none, or more than one, or one that is far too long."""
    with ZipFile(path) as archive:
        found = [each for each in archive.infolist() if each.filename.endswith(_METADATA)]
        if len(found) != 1 or found[0].file_size > _METADATA_BYTES_MAX:
            return ""
        return archive.read(found[0]).decode()
