"""A wheel of the daemon as the operator has it: which version it is, and its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from zsops.errors import BuildError

_NAME = "zeroserve"


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
        with ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            text = archive.read(found[0]).decode() if len(found) == 1 else ""
        content = path.read_bytes()
    except (OSError, BadZipFile, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BuildError(f"the wheel `{path}` cannot be read: {reason}") from error
    headers = HeaderParser().parsestr(text)
    if headers.get("Name") != _NAME or not headers.get("Version"):
        raise BuildError(f"`{path}` is no wheel of {_NAME}", hint="`maturin build --release` makes one")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Wheel(path, str(headers["Version"]), digest, len(content))
