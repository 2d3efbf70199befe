"""The bill of materials: the official schema judges it, and so does the library of its makers."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.trees import write_tree

from zeroserve import __version__
from zeroserve.scripts.compiler import ZIGLANG_VERSION
from zsops.build.sbom import write_sbom
from zsops.build.site import BuiltSite, build_site
from zsops.cli.app import run
from zsops.config.load import load_project

CONFIG = "version: 1\nproject: acme\nsites:\n  blog: {src: blog}\n"
SOURCE = b"#include <zeroserve.h>\nZS_ENTRY zs_u64 entry(void) { return 0; }\n"
FILES = {
    "blog/index.html": b"<title>a</title>",
    "blog/caf\xc3\xa9 & co/a.css": b"p{}",
    "blog/.zeroserve/scripts/a.c": SOURCE,
    "blog/.zeroserve/scripts/b/c.c": SOURCE,
}


def _built(directory: Path, files: dict[str, bytes]) -> BuiltSite:
    write_tree(directory, {"zsops.yaml": CONFIG.encode(), **files})
    return build_site(load_project(directory / "zsops.yaml"), "blog", directory)


def _judged(text: str) -> dict[str, Any]:
    """The document, after the official schema and the reference library have taken it."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    assert Bom.from_json(found) is not None  # type: ignore[attr-defined]
    return found


@pytest.fixture
def built(tmp_path: Path) -> BuiltSite:
    return _built(tmp_path, FILES)


def test_it_lists_every_member_with_its_hash(built: BuiltSite, tmp_path: Path) -> None:
    found = _judged(write_sbom("acme", built, tmp_path).read_text())
    listed = {each["name"]: each["hashes"][0]["content"] for each in found["components"]}
    with tarfile.open(built.tar) as tar:
        there = {each.name: tar.extractfile(each) for each in tar if each.isfile()}
        digests = {
            name: hashlib.sha256(file.read()).hexdigest() for name, file in there.items() if file
        }
    del digests[".zeroserve/members.bin"]  # the index of the others
    assert listed == digests
    component = found["metadata"]["component"]
    assert component["hashes"][0]["content"] == hashlib.sha256(built.tar.read_bytes()).hexdigest()
    assert (component["group"], component["name"]) == ("acme", "blog")


def test_it_names_the_tools_and_what_scripts_were_made_of(
    built: BuiltSite, tmp_path: Path
) -> None:
    found = _judged(write_sbom("acme", built, tmp_path).read_text())
    tools = {e["name"]: e["version"] for e in found["metadata"]["tools"]["components"]}
    assert tools == {"zeroserve": __version__, "ziglang": ZIGLANG_VERSION}
    made_of = {
        each["name"]: [(one["name"], one["hashes"][0]["content"]) for one in each["pedigree"]["ancestors"]]
        for each in found["components"]
        if "pedigree" in each
    }
    assert made_of.keys() == {".zeroserve/scripts/a.o", ".zeroserve/scripts/b/c.o"}
    source, header = made_of[".zeroserve/scripts/b/c.o"]
    assert source == (".zeroserve/scripts/b/c.c", hashlib.sha256(SOURCE).hexdigest())
    assert header[0] == "zeroserve.h"


def test_the_same_site_gives_the_same_file_anywhere(tmp_path: Path) -> None:
    texts = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        built = _built(tmp_path / name, FILES)
        texts.add(write_sbom("acme", built, tmp_path / name).read_text())
    (text,) = texts
    assert str(tmp_path) not in text
    assert "timestamp" not in text
    other = _built(tmp_path / "here", {"blog/index.html": b"other"})
    number = json.loads(write_sbom("acme", other, tmp_path).read_text())["serialNumber"]
    assert number != json.loads(text)["serialNumber"]


@pytest.mark.parametrize("record", [b"{}", b"[]", b"x", b'{"compiler": 1}'])
def test_a_record_of_somebody_else_tells_of_no_sources(tmp_path: Path, record: bytes) -> None:
    built = _built(tmp_path, {"blog/index.html": b"a", "blog/.zeroserve/scripts.json": record})
    found = _judged(write_sbom("acme", built, tmp_path).read_text())
    assert [each["name"] for each in found["metadata"]["tools"]["components"]] == ["zeroserve"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8),
        st.binary(max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_files_are_called_the_schema_takes_it(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    directory = tmp_path_factory.mktemp("named")
    names = {f"blog/x{name}y.html": content for name, content in files.items()}
    _judged(write_sbom("acme", _built(directory, names), directory).read_text())


def test_it_lies_beside_the_tar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path, {"zsops.yaml": CONFIG.encode(), "blog/index.html": b"a"})
    assert run(["-C", str(tmp_path), "build", "--sbom"]) == 2
    assert "add `--out DIR`" in capsys.readouterr().err
    assert run(["-C", str(tmp_path), "--json", "build", "--sbom", "--out", "dist"]) == 0
    (site,) = json.loads(capsys.readouterr().out)["result"]["sites"]
    assert site["sbom"] == str(tmp_path / "dist" / "blog.cdx.json")
    found = _judged((tmp_path / "dist" / "blog.cdx.json").read_text())
    assert f"sha256:{found['metadata']['component']['hashes'][0]['content']}" == site["release_digest"]
