"""`zsops history`: of an environment or a host, and what is kept of a failed deployment."""

from __future__ import annotations

from support.command_line import Zsops
from support.memory_fleet import FLEET, MemoryFleet

from zsops.errors import ExitCode

TWO_ENVIRONMENTS = FLEET + (
    "  stage:\n    hosts: {web4: {addr: 192.0.2.4}, only: {addr: 192.0.2.9}}\n"
    '    instances: {two: {listen: {https: "{addr}:8444"}, site: hello}}\n'
)


def _break(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    assert zsops("deploy").code == ExitCode.OK
    shop.write(**{"index.html": "<title>two</title>"})
    bad = shop.fleet().plan().instances[0].new_release_digest
    shop.of("web3").daemon.serves_badly.add(bad)
    log = b"2026-01-01T00:00:01Z \x1b[31mscript failed\n"
    shop.of("web3").disk.write("i/web/log/daemon.log", log, 0o640)
    said = zsops("deploy", "--strategy", "all")
    assert said.code == ExitCode.PARTIAL
    assert "what it answered: `zsops history web3 --evidence`" in said.err
    assert said.err.count("--evidence") == 1


def test_evidence_shows_what_was_expected_and_the_log(zsops: Zsops, shop: MemoryFleet) -> None:
    _break(zsops, shop)
    said = zsops("history", "web3", "--evidence")
    assert said.code == ExitCode.OK
    lines = said.out.splitlines()
    assert lines[0].startswith("web on web3: 000002-")
    assert " failed at `health`, 2026-" in lines[0]
    assert "/index.html`: status 500, expected 200" in lines[1]
    row = next(line.split() for line in lines if line.split()[:1] == ["bad"])
    assert row[-2:] == ["200", "500"]
    assert "    | broken on purpose" in lines
    assert lines[-1] == "    | 2026-01-01T00:00:01Z \N{REPLACEMENT CHARACTER}[31mscript failed"
    everywhere = zsops("history", "--evidence", "--json").document["result"]["evidence"]
    assert [(each["host"], each["step"]) for each in everywhere] == [("web3", "health")]


def test_evidence_of_the_last_failure_or_of_all(zsops: Zsops, shop: MemoryFleet) -> None:
    _break(zsops, shop)
    assert zsops("deploy", "--retry").code != ExitCode.OK
    assert zsops("history", "web3", "--evidence").out.count("failed at") == 1
    assert zsops("history", "web3", "--evidence", "--all").out.count("failed at") == 2


def test_nothing_failed(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    said = zsops("history", "--evidence")
    assert (said.code, said.out) == (ExitCode.OK, "")
    assert "keeps nothing" in said.err


def test_a_host_is_named_instead_of_an_environment(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(TWO_ENVIRONMENTS)
    assert zsops("deploy", "prod").code == ExitCode.OK
    shown = zsops("history", "web2").out.splitlines()
    assert shown
    assert all(" web2 " in line for line in shown[1:])
    for command in ("status", "drift", "audit", "logs"):
        said = zsops(command, "web2")
        assert said.code == ExitCode.OK, said.err
        assert "web1" not in said.out
    two = zsops("history", "web4")
    assert two.code == ExitCode.USAGE
    assert "is a host of `prod` and `stage`" in two.err
    assert "hint: say which: `--env prod`" in two.err
    assert zsops("history", "web4", "-e", "prod").code == ExitCode.OK
    nobody = zsops("history", "web9")
    assert nobody.code == ExitCode.USAGE
    assert "`web9` is neither an environment nor a host" in nobody.err
    outside = zsops("history", "web2", "--on", "canary")
    assert "means no host" in outside.err


def test_only_what_is_young_enough(zsops: Zsops, shop: MemoryFleet) -> None:
    assert zsops("deploy").code == ExitCode.OK  # the host's clock stands in January
    young = zsops("history", "--since", "2d")
    assert (young.code, young.out) == (ExitCode.OK, "")
    assert "committed" in zsops("history", "--since", "9000d").out
    assert zsops("history", "--since", "x").code == ExitCode.USAGE
