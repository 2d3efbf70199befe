"""Content types by extension, from `mime.tsv`. The engine compiles the same table in."""

from functools import lru_cache
from importlib.resources import files

DEFAULT_TYPE = "application/octet-stream"


@lru_cache(maxsize=1)
def type_table() -> dict[str, str]:
    """Extension (lower case, no dot) to content type."""
    table: dict[str, str] = {}
    for line in (files("zeroserve.pack") / "mime.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            extension, content_type = line.split("\t")
            table[extension] = content_type
    return table


def content_type_of(path: str) -> str:
    """The content type of a member, by its last extension.

    A name without one, as `.profile`, gets the default.
    """
    name = path.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        return DEFAULT_TYPE
    return type_table().get(extension.lower(), DEFAULT_TYPE)
