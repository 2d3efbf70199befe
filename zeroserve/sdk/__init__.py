"""The script SDK: the C header that scripts include, and the table that it is made from."""

from __future__ import annotations

from zeroserve.sdk.header import HEADER, render

__all__ = ["HEADER", "render"]
