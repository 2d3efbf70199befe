"""Keys of the full design that this version does not know. Named, so that none is ever ignored."""

from __future__ import annotations

from zsops.config.document import Location

#: Location with `*` for any name, and the key itself.
_LATER: frozenset[tuple[str, ...]] = frozenset(
    [
        *((key,) for key in ("trust", "registry")),
        *(("defaults", key) for key in ("strategy", "tls", "ech")),
        ("defaults", "health", "content"),
        ("defaults", "confirm", "from"),
        *(("sites", "*", key) for key in ("compress", "headers_file", "plugins")),
        *(
            ("environments", "*", key)
            for key in ("channel", "protect", "extends", "daemon", "tls", "ech")
        ),
        ("environments", "*", "instances", "*", "limits"),
        *(("daemon", key) for key in ("source", "limits")),
    ]
)


def is_later(location: Location) -> bool:
    """Whether a later version gives `location` a meaning."""
    return any(
        len(pattern) == len(location)
        and all(part in ("*", here) for part, here in zip(pattern, location, strict=True))
        for pattern in _LATER
    )
