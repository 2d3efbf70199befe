"""Doctor: each examination tells good from bad, and each problem has a remedy."""

import errno
import json
import socket
from pathlib import Path

import pytest

from zeroserve.cli.app import run
from zeroserve.config.address import parse_address
from zeroserve.doctor import (
    examine_address,
    examine_clock,
    examine_control,
    examine_kernel,
    examine_tool,
    uring_remedy,
)


@pytest.mark.parametrize(
    ("system", "release", "state"),
    [
        ("Linux", "6.1.0-13-amd64", "ok"),
        ("Linux", "6.18.44", "ok"),
        ("Linux", "10.0", "ok"),
        ("Linux", "6.0.9", "problem"),
        ("Linux", "5.15.0", "problem"),
        ("Linux", "strange", "problem"),
        ("Darwin", "23.1", "problem"),
    ],
)
def test_kernels(system: str, release: str, state: str) -> None:
    result = examine_kernel(system, release)
    assert result.state == state
    assert (result.remedy is None) == (state == "ok")


@pytest.mark.parametrize(
    ("number", "setting", "word"),
    [
        (errno.EPERM, "2", "sysctl kernel.io_uring_disabled=0"),
        (errno.EPERM, "1", "io_uring_group"),
        (errno.EPERM, "0", "seccomp"),
        (errno.ENOSYS, "0", "CONFIG_IO_URING"),
        (errno.ENOMEM, "0", "ulimit -l"),
    ],
)
def test_causes_of_a_refused_ring_are_told_apart(number: int, setting: str, word: str) -> None:
    assert word in uring_remedy(number, setting)


def test_clocks() -> None:
    assert examine_clock(0).state == "problem"
    assert examine_clock(1_800_000_000).state == "ok"


def test_addresses(short_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = f"127.0.0.1:{taken.getsockname()[1]}"
        result = examine_address(parse_address(text, "http"))
        assert (result.state, text in result.found) == ("problem", True)
        assert result.remedy is not None
    assert examine_address(parse_address(text, "http")).state == "ok"
    path = short_dir / "s"
    assert examine_address(parse_address(f"unix:{path}", "http")).state == "ok"
    assert not path.exists()


def test_control_places(short_dir: Path) -> None:
    assert examine_control(short_dir / "c.sock").state == "ok"
    for bad in (short_dir / "no" / "c.sock", short_dir / ("x" * 120)):
        result = examine_control(bad)
        assert result.state == "problem"
        assert result.remedy is not None


def test_tools_are_optional() -> None:
    assert examine_tool("sh", "x").state == "ok"
    assert examine_tool("no-such-program", "x").state == "warning"


def test_a_problem_is_exit_code_1(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json", "--control", str(short_dir / "no" / "c")]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    problems = [one for one in document["results"] if one["state"] == "problem"]
    assert all(one["remedy"] for one in problems)
    assert run(["doctor", "--control", str(short_dir / "no" / "c")]) == 1
    assert "PROBLEM" in capsys.readouterr().out
