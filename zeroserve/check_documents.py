"""Check of what tells the engine how to serve: `rules.json`, `hosts.json`, and coded forms."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Protocol

from zeroserve.finding import Finding
from zeroserve.pack.coding import CODINGS, Coding, NotCodedError, decode
from zeroserve.pack.hosts import HOSTS_PATH, parse_hosts
from zeroserve.pack.member_index import Member, MemberIndex
from zeroserve.pack.rules import RULES_BYTES_MAX, RULES_PATH, judge_rules


class Placed(Protocol):
    """Where a member's bytes lie."""

    @property
    def offset(self) -> int:
        """Of the first byte, from the start of the archive."""

    @property
    def size(self) -> int:
        """In bytes."""


def check_documents(file: BinaryIO, members: Mapping[str, Placed], name: str) -> Iterator[Finding]:
    """Judge the hosts and the rules of every root as the engine would. `name` is the archive's."""
    prefixes: tuple[str, ...] = ("",)
    if HOSTS_PATH in members:
        names = sorted(members)

        def holds_files(prefix: str) -> bool:
            at = bisect_left(names, prefix)
            return at < len(names) and names[at].startswith(prefix)

        try:
            data = _read(file, members[HOSTS_PATH])
            prefixes = parse_hosts(data, holds_files).prefixes
        except ValueError as error:
            yield Finding("hosts-bad", f"`{name}`: `{HOSTS_PATH}`: {error}", None)
            return
    for path in (prefix + RULES_PATH for prefix in prefixes):
        if path in members:
            try:
                judge_rules(_read(file, members[path]))
            except ValueError as error:
                yield Finding("rules-bad", f"`{name}`: `{path}`: {error}", None)


def check_forms(file: BinaryIO, index: MemberIndex, name: str) -> Iterator[Finding]:
    """Unpack every coded form that the index names, and compare it with its base."""
    by_path = {member.path: member for member in index.members}
    unread = {coding.token for coding in CODINGS if not coding.can_read}
    unchecked: set[str] = set()
    for base in index.members:
        for coding in CODINGS:
            if not base.encodings & coding.bit:
                continue
            form = by_path.get(base.path + coding.suffix)
            if form is not None and coding.token in unread:
                unchecked.add(coding.token)
            elif form is None or not _unpacks_to(file, coding, form, base):
                what = "is not there" if form is None else f"does not unpack to `{base.path}`"
                text = f"`{name}`: `{base.path}{coding.suffix}` {what}"
                yield Finding("coded-form", text, "pack the site again")
    for token in sorted(unchecked):
        yield Finding(
            "coded-form-unchecked",
            f"`{name}`: its {token} forms were not compared with their files",
            "`pip install 'zeroserve[precompress]'`",
        )


class _Slice:
    """A member as a file of its own, for the unpackers."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self._file = file
        self._at = member.offset
        self._left = member.size

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes of what is left."""
        self._file.seek(self._at)
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._at += len(data)
        self._left -= len(data)
        return data


def _unpacks_to(file: BinaryIO, coding: Coding, form: Member, base: Member) -> bool:
    sha256, size = hashlib.sha256(), 0
    try:
        for piece in decode(coding, _Slice(file, form)):
            size += len(piece)
            if size > base.size:
                return False
            sha256.update(piece)
    except NotCodedError:
        return False
    return sha256.digest() == base.sha256


def _read(file: BinaryIO, member: Placed) -> bytes:
    if member.size > RULES_BYTES_MAX:
        raise ValueError("it is larger than 16 MiB")
    file.seek(member.offset)
    return file.read(member.size)
