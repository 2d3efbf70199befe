"""From a tree to its rules: sources leave, documents come, roots are kept apart."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from server_trees import pack_bytes, write_tree

from zeroserve.errors import PackRefused
from zeroserve.pack.archive import PackOptions, PackResult

RULES = ".zeroserve/rules.json"
HOSTS = ".zeroserve/hosts.json"


def packed(
    place: Path, files: dict[str, bytes], options: PackOptions | None = None
) -> tuple[dict[str, bytes], PackResult]:
    data, result = pack_bytes(write_tree(place / "tree", files), options)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}, result  # type: ignore[union-attr]


def test_sources_become_a_document_and_are_not_served(tmp_path: Path) -> None:
    files = {
        "index.html": b"x",
        "_headers": b"/*\n  X-A: 1\n",
        "_redirects": b"/old /index.html 301\n/app/* /missing.html 200\n",
        "docs/_headers": b"only at the top it means something",
    }
    members, result = packed(tmp_path, files)
    assert set(members) == {".zeroserve/members.bin", RULES, "docs/_headers", "index.html"}
    assert json.loads(members[RULES]) == {
        "v": 1,
        "headers": [{"path": "/*", "set": [["X-A", "1"]]}],
        "redirects": [
            {"from": "/old", "to": "/index.html", "status": 301},
            {"from": "/app/*", "to": "/missing.html", "status": 200},
        ],
    }
    assert result.warnings == (
        "`_redirects`: `/app/*` leads to `/missing.html`, which is not there",
    )


def test_a_tree_without_rules_has_no_document(tmp_path: Path) -> None:
    members, _ = packed(tmp_path, {"index.html": b"x", "_headers": b"# nothing yet\n"})
    assert set(members) == {".zeroserve/members.bin", "index.html"}


@pytest.mark.parametrize("source", ["_headers", "_redirects"])
def test_two_sources_of_rules_are_refused(tmp_path: Path, source: str) -> None:
    files = {"index.html": b"x", source: b"", RULES: b'{"v":1}'}
    with pytest.raises(PackRefused, match="both say which rules") as caught:
        packed(tmp_path, files)
    assert caught.value.code == "rules-two-sources"


def test_a_document_of_ones_own_is_kept_and_judged(tmp_path: Path) -> None:
    own = b'{ "v": 1, "immutable": [] }'
    files = {"app.3f2a9c1b.js": b"x", RULES: own}
    assert packed(tmp_path, files)[0][RULES] == own
    write_tree(tmp_path / "tree", {RULES: b'{"v":3}'})
    with pytest.raises(PackRefused, match="version 3 is not known"):
        pack_bytes(tmp_path / "tree")


FINGERPRINTED: dict[str, bytes] = {
    "index.html": b"",
    "assets/app.3f2a9c1b.js": b"",
    "assets/style-BxK3d9aQ.css": b"",
    "other/app.4f2a9c1b.js": b"",
    ".zeroserve/app.5f2a9c1b.js": b"",
}


def immutable(members: dict[str, bytes]) -> Any:
    return json.loads(members[RULES]).get("immutable") if RULES in members else None


def test_fingerprinted_names_are_immutable(tmp_path: Path) -> None:
    members, _ = packed(tmp_path, FINGERPRINTED)
    assert immutable(members) == [
        "assets/app.3f2a9c1b.js",
        "assets/style-BxK3d9aQ.css",
        "other/app.4f2a9c1b.js",
    ]


def test_a_rule_of_ones_own_for_the_cache_wins(tmp_path: Path) -> None:
    rule = {"_headers": b"/assets/*\n  cache-control: no-cache\n/other/*\n  X-A: 1\n"}
    members, _ = packed(tmp_path, {**FINGERPRINTED, **rule})
    assert immutable(members) == ["other/app.4f2a9c1b.js"]


def test_immutable_can_be_turned_off(tmp_path: Path) -> None:
    members, _ = packed(tmp_path, FINGERPRINTED, PackOptions(immutable=False))
    assert RULES not in members


def test_each_root_has_its_own_rules(tmp_path: Path) -> None:
    files = {
        HOSTS: b'{"a.example":"sites/a","*":"/sites/b/"}',
        "sites/a/index.html": b"",
        "sites/a/app.3f2a9c1b.js": b"",
        "sites/a/_redirects": b"/x /index.html 200\n",
        "sites/b/index.html": b"",
        "sites/b/_headers": b"/*\n  X-B: 1\n",
    }
    members, result = packed(tmp_path, files)
    assert json.loads(members["sites/a/" + RULES]) == {
        "v": 1,
        "redirects": [{"from": "/x", "to": "/index.html", "status": 200}],
        "immutable": ["app.3f2a9c1b.js"],
    }
    assert json.loads(members["sites/b/" + RULES])["headers"]
    assert not [name for name in members if name.rpartition("/")[2].startswith("_")]
    assert result.warnings == ()


BAD_HOSTS = [
    (b"{}", "names no host"),
    (b"[]", "no object"),
    (b"{", "Expecting"),
    (b'{"a":1}', "is no text"),
    (b'{"a":"../x"}', "not a folder"),
    (b'{"a":"/"}', "not a folder"),
    (b'{"a":"x//y"}', "not a folder"),
    (b'{"a":"missing"}', "no file below `missing/`"),
    (b'{"a":"si"}', "no file below `si/`"),
    (b'{"a:443":"site"}', "without its port"),
    (b'{"*.a":"site"}', "without wildcards"),
    (b'{"a.":"site"}', "dot at the end"),
    (b'{"a b":"site"}', "not a host name"),
    (b'{"":"site"}', "not a host name"),
    ('{"ü.example":"site"}'.encode(), "xn--"),
    (b'{"[::g]":"site"}', "not an IPv6 address"),
    (b'{"a":"site","A":"site"}', "twice"),
    (b'{"a":"site","b":"site/inner"}', "holds another root"),
]


@pytest.mark.parametrize(("data", "what"), BAD_HOSTS)
def test_bad_hosts(tmp_path: Path, data: bytes, what: str) -> None:
    files = {HOSTS: data, "site/index.html": b"", "site/inner/index.html": b""}
    with pytest.raises(PackRefused, match=what) as caught:
        packed(tmp_path, files)
    assert caught.value.code == "hosts-bad"


@pytest.mark.parametrize("name", ["_headers", "_redirects", RULES])
def test_rules_for_no_host_are_refused(tmp_path: Path, name: str) -> None:
    files = {HOSTS: b'{"*":"site"}', "site/index.html": b"", name: b""}
    with pytest.raises(PackRefused, match="would be for no host"):
        packed(tmp_path, files)
