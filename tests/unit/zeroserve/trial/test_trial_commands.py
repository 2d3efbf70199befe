"""`zeroserve test` and `explain`, the pytest plugin, and the example sites, through the engine."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from support.process import PROGRAMS, Finished, run, zeroserve
from support.trees import ROOT

EXAMPLES = sorted(path.parents[1] for path in ROOT.glob("sites/*/.zeroserve/tests"))
ANNOUNCEMENT = ROOT / "sites" / "announcement"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The announced scripts, with a case that is right and one that is not."""
    copy = tmp_path / "site"
    shutil.copytree(ANNOUNCEMENT, copy)
    (copy / ".zeroserve" / "tests" / "announcement.toml").write_text(
        '[[case]]\nname = "right"\nrequest = "GET /health"\nexpect = { status = 200 }\n'
        '[[case]]\nname = "wrong"\nrequest = "GET /health"\n'
        'expect = { status = 404, json = { status = "bad" } }\n'
    )
    return copy


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_answer_as_their_cases_say(example: Path) -> None:
    done = zeroserve("test", example, timeout_s=120)
    assert done.code == 0, done.text + done.stderr


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9


def test_the_announced_programs_are_those_of_the_announcement() -> None:
    scripts = ANNOUNCEMENT / ".zeroserve" / "scripts"
    text = "".join(path.read_text() for path in sorted(scripts.iterdir()))
    for line in (
        'if (zs_req_peer(peer, sizeof(peer)) <= 0) zs_strcpy(peer, "unknown");',
        'zs_meta_set(ZS_STR("zs.response.header.x-served-by"), ZS_STR("zeroserve-ebpf"));',
        'zs_respond(200, ZS_STR("{\\"status\\":\\"ok\\"}\\n"));',
    ):
        assert line in text


def test_a_difference_is_shown_and_ends_with_1(site: Path) -> None:
    done = zeroserve("test", site, timeout_s=120)
    assert done.code == 1
    assert "  ok  right\n  FAIL  wrong\n        status: expected 404, got 200\n" in done.text
    assert '-  "status": "bad"\n' in done.text
    assert done.text.endswith("1 as expected, 1 not\n")


def test_as_json(site: Path) -> None:
    told = json.loads(zeroserve("test", site, "--json", timeout_s=120).text)
    assert told["ok"] is False
    assert [(case["name"], case["ok"]) for case in told["cases"]] == [
        ("right", True),
        ("wrong", False),
    ]


def test_a_tarball_with_cases_from_elsewhere(site: Path, tmp_path: Path) -> None:
    tar = tmp_path / "site.tar"
    assert zeroserve("pack", site, "-o", tar, timeout_s=120).code == 0
    assert zeroserve("test", tar).code == 1
    assert "there are no cases" in zeroserve("test", tar).stderr
    cases = ANNOUNCEMENT / ".zeroserve" / "tests"
    assert zeroserve("test", tar, "--cases", cases).code == 0


def pytest_on(site: Path, *more: str) -> Finished:
    plugin = ("-p", "no:zeroserve", "-p", "zeroserve.pytest_plugin", "-p", "no:cacheprovider")
    argv = [sys.executable, "-m", "pytest", *plugin, "--rootdir", str(site), *more, str(site)]
    return run(argv, cwd=site)


def test_the_pytest_plugin_runs_each_case(site: Path) -> None:
    done = pytest_on(site, "-v")
    assert done.code == 1
    assert "announcement.toml::right PASSED" in done.text
    assert "announcement.toml::wrong FAILED" in done.text
    assert "status: expected 404, got 200" in done.text
    assert "Traceback" not in done.text


def test_the_pytest_plugin_tells_what_does_not_compile(site: Path) -> None:
    (site / ".zeroserve" / "scripts" / "10-enrich.c").write_text("int x = y;\n")
    done = pytest_on(site)
    assert done.code == 1
    assert "10-enrich.c:1:9: error: use of undeclared identifier 'y'" in done.text


def test_explain_shows_scripts_helpers_and_the_answer() -> None:
    done = zeroserve("explain", ANNOUNCEMENT, "GET", "https://a.test/health?x", timeout_s=120)
    assert done.code == 0, done.stderr
    lines = done.text.splitlines()
    assert lines[0] == "GET /health?x  (https, HTTP/1.1, from 192.0.2.1:50000)"
    assert any(line.startswith("10-enrich.o  entry  passed  ") for line in lines)
    assert any(line.startswith("20-health.o  entry  responded  ") for line in lines)
    assert [line[-6:] for line in lines if " fuel  " in line] == ["µs CPU"] * 2
    assert '  zs_req_path("/health") = 7' in lines
    assert "  visitor = 192.0.2.1:50000" in lines
    assert any(line.startswith("200  by a script, ") for line in lines)
    assert "  x-served-by: zeroserve-ebpf" in [line.lower() for line in lines]


def test_explain_tells_which_header_was_not_sent(site: Path) -> None:
    (site / ".zeroserve" / "scripts" / "10-enrich.c").write_text(
        "#include <zeroserve.h>\n"
        "ZS_ENTRY zs_u64 entry(void) {\n"
        '  zs_meta_set(ZS_STR("zs.response.header.x-a"), ZS_STR("a\\nb"));\n'
        '  zs_meta_set(ZS_STR("zs.response.header.x-b"), ZS_STR("b"));\n'
        "  return 0;\n}\n"
    )
    lines = zeroserve("explain", site, "GET", "/", timeout_s=120).text.splitlines()
    assert "  zs.response.header.x-a = a\\nb   (not sent: no valid header)" in lines
    assert "  zs.response.header.x-b = b" in lines


def test_explain_as_json_and_what_the_flags_do() -> None:
    argv = ["explain", str(ANNOUNCEMENT), "GET", "/", "--peer", "192.0.2.9:1", "-H", "A: b"]
    told = json.loads(zeroserve(*argv, "--json", timeout_s=120).text)
    assert (told["status"], told["answered_by"]) == (200, "site")
    assert "Hello, 192.0.2.9:1." in told["body"]
    assert told["request"]["headers"] == [["A", "b"]]
    assert told["runs"][0]["calls"][0]["helper"] == "zs_req_peer"
    assert 0 < told["runs"][0]["cpu_ns"] < told["nanoseconds"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["GET", "nowhere"], 2),
        (["GET", "/", "-H", "no colon"], 2),
        (["G T", "/"], 1),
        (["GET", "/", "-H", "A: b\r\nC: d"], 1),
    ],
)
def test_explain_refuses_what_is_no_request(arguments: list[str], code: int) -> None:
    done = run([PROGRAMS / "zeroserve", "explain", ANNOUNCEMENT, *arguments])
    assert done.code == code
    assert done.stderr.startswith("error[")
