"""`zsops.yaml`: one case, one file in `tests/cases/config`: the text, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsops.config.load import (
    ConfigInvalid,
    ConfigMissing,
    UnknownName,
    load_project,
    parse_config,
)
from zsops.config.models import Build
from zsops.errors import ExitCode

CASES = Path(__file__).resolve().parents[3] / "cases" / "config"
GOOD = (CASES / "unknown-key.yaml").read_text().replace("    hots: {}\n", "")


@pytest.mark.parametrize("case", sorted(each.stem for each in CASES.glob("*.yaml")))
def test_problems_are_said_with_their_place(case: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        parse_config((CASES / f"{case}.yaml").read_text())
    assert refused.value.render() + "\n" == (CASES / f"{case}.txt").read_text()
    assert refused.value.exit_code is ExitCode.USAGE


def test_every_case_has_both_files() -> None:
    assert {each.stem for each in CASES.glob("*.yaml")} == {e.stem for e in CASES.glob("*.txt")}


def test_caret_stands_under_the_problem() -> None:
    for case in CASES.glob("*.txt"):
        lines = case.read_text().splitlines()
        for at, line in enumerate(lines):
            if line.startswith("zsops.yaml:") and at + 2 < len(lines) and " | " in lines[at + 1]:
                column = int(line.split(":")[2])
                source, caret = (each.split(" | ", 1)[1] for each in lines[at + 1 : at + 3])
                assert len(caret) - len(caret.lstrip()) == column - 1, case.name
                assert column <= len(source) + 1, case.name


def test_good_file_becomes_frozen_models() -> None:
    config = parse_config(GOOD)
    assert config.project == "acme"
    assert config.environments["prod"].instances["web"].site_names == ("blog",)
    assert config.defaults.health.timeout == 10_000
    with pytest.raises(ValueError, match="frozen"):
        config.project = "other"  # type: ignore[misc]


def test_command_is_a_list_or_one_line() -> None:
    def build(run: str) -> Build | None:
        site = f"{{src: s, build: {{run: {run}, out: o}}}}"
        return parse_config(GOOD.replace("{src: sites/blog}", site)).sites["blog"].build

    line, words = build("npm run 'build all'"), build("[npm, run, build all]")
    assert line is not None
    assert line == words
    assert line.run == ("npm", "run", "build all")


def test_yaml_1_1_words_stay_text() -> None:
    for word in ("no", "on", "yes", "off"):
        assert parse_config(GOOD.replace("acme", word)).project == word


def test_protocols_are_a_list_of_names() -> None:
    def protocols(wish: str) -> tuple[str, ...]:
        text = GOOD.replace("project:", f"defaults: {{health: {{{wish}}}}}\nproject:")
        return parse_config(text).defaults.health.protocols

    assert protocols("") == ("h2", "http/1.1")
    assert protocols("protocols: [http/1.1]") == ("http/1.1",)


def test_local_exists_without_being_declared(tmp_path: Path) -> None:
    file = tmp_path / "zsops.yaml"
    file.write_text(GOOD)
    project = load_project(file)
    name, local = project.environment("local")
    assert name == "local"
    assert [each.site_names for each in local.instances.values()] == [("blog",)]
    assert project.environment(None)[0] == "prod"


def test_unknown_environment_and_site_list_the_known(tmp_path: Path) -> None:
    file = tmp_path / "zsops.yaml"
    file.write_text(GOOD)
    project = load_project(file)
    with pytest.raises(UnknownName) as unknown:
        project.environment("prd")
    assert unknown.value.hint == "did you mean `prod`? known: `local`, `prod`"
    with pytest.raises(UnknownName) as unknown:
        project.site("xyz")
    assert unknown.value.hint == "known: `blog`"


def test_missing_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigMissing) as missing:
        load_project(tmp_path / "zsops.yaml")
    assert missing.value.hint == "run `zsops init` to write one"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "zsops.yaml"
    file.write_bytes(b"version: 1\nproject: \xff\n")
    with pytest.raises(ConfigInvalid, match="1 problem") as refused:
        load_project(file)
    assert refused.value.drawn == "zsops.yaml:2:1: not UTF-8 text"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_file_is_refused_or_accepted_and_nothing_else(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(at, min(len(GOOD), at + 10)))
    text = GOOD[:at] + data.draw(st.text(max_size=6)) + GOOD[end:]
    refused: ConfigInvalid | None = None
    try:
        parse_config(text)
    except ConfigInvalid as error:
        refused = error
    assert refused is None or (refused.problems and refused.render())
