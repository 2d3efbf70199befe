"""zsops: builds sites into releases and deploys them to hosts that run zeroserve.

`from zsops import Fleet` is the Python API. It is imported when it is asked for, since the on-host
half lives in this package too and runs where pydantic and rich are not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zsops.fleet import Fleet

__all__ = ["Fleet"]


def __getattr__(name: str) -> object:
    if name == "Fleet":
        from zsops.fleet import Fleet

        return Fleet
    raise AttributeError(f"module `zsops` has no attribute `{name}`")
