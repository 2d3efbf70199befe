"""Hosts: `.zeroserve/hosts.json`, several sites in one tarball, each below a root. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from zeroserve.config.hostname import parse_hostname
from zeroserve.pack.json_document import parse_json

HOSTS_PATH = ".zeroserve/hosts.json"
ANY_HOST = "*"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Host names, in lower case, to folders without outer slashes; `*` is for all others."""

    roots: dict[str, str]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The folders, each once and with its closing slash, sorted."""
        return tuple(sorted({f"{root}/" for root in self.roots.values()}))


def parse_hosts(data: bytes, holds_files: Callable[[str], bool]) -> Hosts:
    """Read the document. `holds_files` tells whether a member's name begins with a prefix.

    Raises `ValueError` that says what is wrong: what the engine refuses, and what could never be
    served as meant.
    """
    document = parse_json(data)
    if not isinstance(document, dict):
        raise ValueError("it is no object of host names and folders")  # noqa: TRY004
    if not document:
        raise ValueError("it names no host")
    roots: dict[str, str] = {}
    for name, root in document.items():
        if not isinstance(root, str):
            raise ValueError(f"`{name}`: its root is no text")  # noqa: TRY004
        host = name if name == ANY_HOST else parse_hostname(name)
        folder = root.strip("/")
        if not folder or any(part in ("", ".", "..") for part in folder.split("/")):
            raise ValueError(f"`{name}`: `{root}` is not a folder of the tarball")
        if host in roots:
            raise ValueError(f"`{name}` is there twice, in different spellings")
        if not holds_files(f"{folder}/"):
            raise ValueError(f"`{name}`: there is no file below `{folder}/`")
        roots[host] = folder
    hosts = Hosts(roots)
    _refuse_nested(hosts.prefixes)
    return hosts


def _refuse_nested(prefixes: tuple[str, ...]) -> None:
    # The outer root would serve the inner one's private files under another name.
    for outer, inner in pairwise(prefixes):
        if inner.startswith(outer):
            raise ValueError(f"root `{outer}` holds another root, `{inner}`")
