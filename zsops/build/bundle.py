"""Several sites as one tarball, each below a root of its own, so that one switch is for them all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from zeroserve.errors import ZeroserveError
from zeroserve.pack.archive import atomic_output
from zeroserve.pack.compose import Part, compose
from zsops.build.site import BuiltSite
from zsops.errors import BuildError
from zsops.host.extents import encode, read_extents

_CHUNK_BYTES = 1 << 20


def bundle(
    name: str, sites: Sequence[BuiltSite], hosts: Mapping[str, Sequence[str]], out: Path
) -> BuiltSite:
    """Compose the built `sites` into `out/NAME.bundle.tar`; `hosts`: site to its host names.

    Raises BuildError.
    """
    parts = {each.site: Part(str(each.tar), each.members) for each in sites}
    names = {host: site for site, listed in hosts.items() for host in listed}
    tar = out / f"{name}.bundle.tar"
    total = hashlib.sha256()
    try:
        made = compose(parts, names)
        with atomic_output(tar) as output:
            for piece in made.pieces:
                if piece.source is None:
                    output.write(piece.data)
                    total.update(piece.data)
                    continue
                with Path(piece.source).open("rb") as source:
                    source.seek(piece.offset)
                    left = piece.size
                    while chunk := source.read(min(left, _CHUNK_BYTES)):
                        output.write(chunk)
                        total.update(chunk)
                        left -= len(chunk)
        with tar.open("rb") as file:
            places = [(each.offset, each.size) for each in made.members]
            extents = encode(read_extents(file, places, made.size))
    except ZeroserveError as error:
        raise BuildError(f"instance `{name}`: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise BuildError(f"instance `{name}`: `{error.filename}`: {error.strerror}") from error
    return BuiltSite(
        site="+".join(each.site for each in sites),
        tar=tar,
        release_digest=f"sha256:{total.hexdigest()}",
        site_digest=made.site_digest,
        size=made.size,
        members=made.members,
        extents=extents,
        warnings=tuple(sorted({line for each in sites for line in each.warnings})),
        parts=tuple((each.site, each.site_digest) for each in sites),
    )
