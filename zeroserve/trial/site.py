"""Site: a folder or a tarball, opened for a trial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zeroserve.bridge.trial import Trial, open_trial
from zeroserve.errors import SiteRefused
from zeroserve.pack.archive import PackOptions, PackResult, pack


@contextmanager
def opened_site(path: Path) -> Iterator[Trial]:
    """Open `path` for requests. A folder is packed first, in memory.

    Raises `PackRefused`, `SiteRefused`, `ConfigRefused`.
    """
    with site_file(path) as (descriptor, _), open_trial(descriptor, str(path)) as trial:
        yield trial


@contextmanager
def site_file(path: Path) -> Iterator[tuple[int, PackResult | None]]:
    """The descriptor of a tarball, and what packing said when `path` is a folder."""
    result = None
    if path.is_dir():
        descriptor = os.memfd_create("site.tar", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as output:
                result = pack(path, output, PackOptions())
        except BaseException:
            os.close(descriptor)
            raise
    else:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise SiteRefused("site-missing", f"`{path}` does not exist") from None
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise SiteRefused("site-unreadable", f"`{path}`: {why}") from error
    try:
        yield descriptor, result
    finally:
        os.close(descriptor)
