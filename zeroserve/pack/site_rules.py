"""Site rules: `_headers`, `_redirects` and fingerprinted names of each root become its
`.zeroserve/rules.json`. In: the files of a tree. Out: the files to pack.

With `.zeroserve/hosts.json` each root has its own rules; else the whole tree is the one root.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroserve.errors import PackRefused
from zeroserve.pack.digested import opened
from zeroserve.pack.fingerprint import is_fingerprinted
from zeroserve.pack.headers_file import HEADERS_NAME, parse_headers
from zeroserve.pack.hosts import HOSTS_PATH, parse_hosts
from zeroserve.pack.pattern import parse_pattern
from zeroserve.pack.redirects_file import REDIRECTS_NAME, parse_redirects
from zeroserve.pack.rules import (
    REWRITES,
    RULES_BYTES_MAX,
    RULES_MAX,
    RULES_PATH,
    RedirectRule,
    Rules,
    encode_rules,
    judge_rules,
)
from zeroserve.pack.walk import SourceFile

SOURCE_NAMES = (HEADERS_NAME, REDIRECTS_NAME)


@dataclass(frozen=True, slots=True)
class CompiledSite:
    """The files to pack, sorted by the bytes of their paths, and what to tell the author.

    `prefixes` are the roots.
    """

    files: tuple[SourceFile, ...]
    warnings: tuple[str, ...]
    prefixes: tuple[str, ...]


def compile_site(files: Sequence[SourceFile], scratch: Path, *, immutable: bool) -> CompiledSite:
    """Compile the rules of every root. Documents that are made are written below `scratch`.

    Raises `PackRefused`: `rules-syntax`, `rules-bad`, `rules-two-sources`, `hosts-bad`.
    """
    tree = _Tree(files)
    prefixes = tree.read_prefixes()
    if "" not in prefixes:
        tree.refuse_sources_at_top(prefixes)
    for number, prefix in enumerate(prefixes):
        tree.compile_root(prefix, scratch / f"rules-{number}.json", immutable=immutable)
    ordered = sorted(tree.files.values(), key=lambda file: file.path.encode())
    return CompiledSite(tuple(ordered), tuple(tree.warnings), prefixes)


class _Tree:
    def __init__(self, files: Sequence[SourceFile]) -> None:
        self.files = {file.path: file for file in files}
        self.warnings: list[str] = []
        self._names = sorted(self.files)

    def read_prefixes(self) -> tuple[str, ...]:
        """The roots: the top of the tree, or those of `hosts.json`."""
        file = self.files.get(HOSTS_PATH)
        if file is None:
            return ("",)
        try:
            return parse_hosts(_read(file), self._holds).prefixes
        except ValueError as error:
            raise PackRefused("hosts-bad", f"`{HOSTS_PATH}`: {error}") from None

    def _holds(self, prefix: str) -> bool:
        at = bisect_left(self._names, prefix)
        return at < len(self._names) and self._names[at].startswith(prefix)

    def refuse_sources_at_top(self, prefixes: tuple[str, ...]) -> None:
        """With roots of their own, rules at the top would be for nobody."""
        for name in (*SOURCE_NAMES, RULES_PATH):
            if name in self.files:
                raise PackRefused(
                    "hosts-bad",
                    f"`{name}` is not in a root of `{HOSTS_PATH}`, so it would be for no host",
                    hint=f"move it to the root it is for, as `{prefixes[0]}{name}`",
                )

    def compile_root(self, prefix: str, place: Path, *, immutable: bool) -> None:
        """Replace the source files of one root by its document."""
        sources = [name for name in SOURCE_NAMES if prefix + name in self.files]
        document = prefix + RULES_PATH
        if document in self.files:
            self._keep_document(document, [prefix + name for name in sources])
            return
        rules = Rules()
        for name in sources:
            file = self.files.pop(prefix + name)
            if name == HEADERS_NAME:
                rules.headers = parse_headers(file.path, _read(file))
            else:
                rules.redirects = parse_redirects(file.path, _read(file))
        if len(rules.headers) + len(rules.redirects) > RULES_MAX:
            raise PackRefused("rules-bad", f"`{document}`: more than {RULES_MAX} rules")
        self._warn_of_missing_targets(prefix, rules.redirects)
        if immutable:
            rules.immutable = self._immutable(prefix, rules)
        if rules:
            self._write(document, rules, place)

    def _keep_document(self, document: str, sources: list[str]) -> None:
        if sources:
            raise PackRefused(
                "rules-two-sources",
                f"`{document}` and `{sources[0]}` both say which rules there are",
                hint=f"remove one: `{document}` is made from `{sources[0]}`",
            )
        try:
            judge_rules(_read(self.files[document]))
        except ValueError as error:
            raise PackRefused("rules-bad", f"`{document}`: {error}") from None

    def _warn_of_missing_targets(self, prefix: str, redirects: list[RedirectRule]) -> None:
        for rule in redirects:
            path = rule.target.strip("/")
            if rule.status not in REWRITES or ":" in path:
                continue
            # The server's `--index` and `--try-html` decide what a name may mean.
            names = (path, f"{path}.html", f"{path}/")
            if path and not any(
                prefix + name in self.files or (name.endswith("/") and self._holds(prefix + name))
                for name in names
            ):
                self.warnings.append(
                    f"`{prefix}{REDIRECTS_NAME}`: `{rule.path}` leads to `{rule.target}`, which is "
                    "not there"
                )

    def _immutable(self, prefix: str, rules: Rules) -> list[str]:
        patterns = [
            parse_pattern(rule.path)
            for rule in rules.headers
            if any(name.lower() == "cache-control" for name, _ in rule.fields)
        ]
        names = [
            path.removeprefix(prefix)
            for path in self._names
            if path.startswith(prefix) and path in self.files and is_fingerprinted(path)
        ]
        return [
            name
            for name in names
            if not name.startswith(".zeroserve/")
            and not any(pattern.matches(name) for pattern in patterns)
        ]

    def _write(self, document: str, rules: Rules, place: Path) -> None:
        data = encode_rules(rules)
        if len(data) > RULES_BYTES_MAX and rules.immutable:
            self.warnings.append(
                f"{len(rules.immutable)} fingerprinted names are more than `{document}` can hold: "
                "none is marked immutable, a rule of `_headers` can do it"
            )
            rules.immutable = []
            data = encode_rules(rules)
        if not rules:
            return
        try:
            judge_rules(data)  # what the engine refuses must not leave this machine
        except ValueError as error:
            raise PackRefused("rules-bad", f"`{document}`: {error}") from None
        place.write_bytes(data)
        self.files[document] = SourceFile(document, place, len(data))


def _read(file: SourceFile) -> bytes:
    with opened(file) as source:
        data = source.read(RULES_BYTES_MAX + 1)
    if len(data) > RULES_BYTES_MAX:
        raise PackRefused("rules-bad", f"`{file.path}` is larger than 16 MiB")
    return data
