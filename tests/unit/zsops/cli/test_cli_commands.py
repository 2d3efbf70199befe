"""The command line against a host in memory: what is printed where, and every exit code."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from support.command_line import Said, Zsops
from support.memory_fleet import FLEET, MemoryFleet

from zsops.apply.probe import ProbeFailed
from zsops.apply.run import Run
from zsops.apply.target import Target
from zsops.cli.exit_codes import MEANING
from zsops.errors import ExitCode
from zsops.fleet import Fleet
from zsops.host import messages as m
from zsops.report.document import Document
from zsops.report.events import parse_event


def test_deploy_prints_the_address_on_stdout_and_talk_on_stderr(zsops: Zsops) -> None:
    said = zsops("deploy", "local")
    assert said.code == ExitCode.OK
    assert said.out == "https://127.0.0.1:8443/\n"
    for word in ("+ index.html", "switch ok", "is in service", "sent"):
        assert word in said.err


def test_quiet_deploy_says_nothing_but_the_address(zsops: Zsops) -> None:
    assert zsops("deploy", "-q") == Said(0, "https://127.0.0.1:8443/\n", "")


def test_deploy_as_one_document(zsops: Zsops) -> None:
    said = zsops("deploy", "--json")
    found = said.document
    assert (found["v"], found["command"], found["ok"], found["exit"]) == (1, "deploy", True, 0)
    assert found["error"] is None
    assert found["result"]["hosts"][0]["outcome"] == "committed"
    assert found["result"]["plan"]["v"] == 1
    assert said.err == ""


def test_deploy_as_events(zsops: Zsops) -> None:
    said = zsops("--jsonl", "deploy")
    events = [parse_event(line) for line in said.out.splitlines()]
    assert [events[0].event, events[-1].event] == ["plan", "summary"]
    assert said.err == ""


def test_error_is_a_document_too(zsops: Zsops) -> None:
    for arguments in (["plan", "nowhere"], ["nope"], ["deploy", "--plan", "none"]):
        said = zsops(*arguments, "--json")
        assert said.code == ExitCode.USAGE
        assert said.document["error"]["code"]
        assert said.document["exit"] == said.code
    last = parse_event(zsops("deploy", "nowhere", "--jsonl").out)
    assert last.event == "summary"
    assert last.exit == ExitCode.USAGE


def test_problems_of_the_file_come_with_places(zsops: Zsops, shop: MemoryFleet) -> None:
    file = shop.directory / "zsops.yaml"
    file.write_text(file.read_text().replace("site: hello", "site: helo"))
    said = zsops("plan")
    assert said.code == ExitCode.USAGE
    assert said.err.startswith("zsops.yaml:8:54: no site `helo`\n")
    assert "did you mean `hello`?" in said.err
    (problem,) = zsops("plan", "--json").document["error"]["problems"]
    assert (problem["line"], problem["column"]) == (8, 54)


def test_plan_tells_changes_by_its_exit_code(zsops: Zsops, shop: MemoryFleet) -> None:
    assert zsops("plan").code == ExitCode.OK
    assert zsops("plan", "--detailed-exitcode").code == ExitCode.CHANGES
    zsops("deploy")
    assert zsops("plan", "--detailed-exitcode").code == ExitCode.OK
    shop.write(**{"index.html": "<title>second</title>"})
    said = zsops("plan", "--detailed-exitcode")
    assert said.code == ExitCode.CHANGES
    assert "~ index.html  18 B -> 21 B" in said.out


def test_saved_plan_is_done_once_and_then_stale(zsops: Zsops) -> None:
    assert zsops("plan", "--out", "p.zsplan").code == ExitCode.OK
    assert zsops("deploy", "--plan", "p.zsplan").code == ExitCode.OK
    said = zsops("deploy", "--plan", "p.zsplan")
    assert said.code == ExitCode.STALE_PLAN
    assert "hint: make a new plan: `zsops plan local`" in said.err


def test_damaged_plan_is_refused(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "p").write_text('{"v": 2}')
    assert "is not a plan of this version" in zsops("deploy", "--plan", "p").err


def test_held_host(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    shop.write(**{"index.html": "2"})
    shop.host.service().take_lease(m.TakeLease("ana@desk", "load test", 600.0, "OTHER"))
    said = zsops("deploy")
    assert said.code == ExitCode.LOCKED
    assert "ana@desk" in said.err
    assert "load test" in zsops("status").err


def test_build_failure(zsops: Zsops, shop: MemoryFleet) -> None:
    file = shop.directory / "zsops.yaml"
    file.write_text(
        file.read_text().replace("src: site", "src: site, build: {run: 'false', out: o}")
    )
    for command in ("build", "plan", "deploy"):
        said = zsops(command)
        assert said.code == ExitCode.BUILD
        assert said.err.startswith("error[build]: site `hello`: `false` exited with 1")


def test_unreachable_host(zsops: Zsops, shop: MemoryFleet) -> None:
    shop.host.reachable = False
    for command in ("plan", "deploy", "rollback", "status", "history"):
        said = zsops(command)
        assert said.code == ExitCode.UNREACHABLE, command
        assert said.err.startswith("error[host-unreachable]: ")


def test_unhealthy_release(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    shop.write(**{"index.html": "bad"})
    shop.host.daemon.serves_badly.add(shop.fleet().plan().instances[0].new_release_digest)
    said = zsops("deploy")
    assert said.code == ExitCode.REVERTED
    assert said.out == ""
    assert "reverted, the old version is healthy" in said.err


def test_two_instances_one_good(zsops: Zsops, shop: MemoryFleet) -> None:
    file = shop.directory / "zsops.yaml"
    line = '      two: {listen: {https: "127.0.0.1:8444"}, site: hello}\n'
    file.write_text(file.read_text() + line)
    answers = iter([None, ProbeFailed("no answer")])

    def second_fails(target: Target) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    shop.probe = second_fails
    assert zsops("deploy").code == ExitCode.PARTIAL


def test_host_where_nothing_is_healthy(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    good = shop.host.daemon.running["web"].release_digest
    shop.write(**{"index.html": "bad"})
    bad = shop.fleet().plan().instances[0].new_release_digest
    shop.host.daemon.serves_badly.add(bad)
    shop.host.daemon.refuses[good] = "the disk lost it"
    said = zsops("deploy")
    assert said.code == ExitCode.UNSAFE
    assert zsops("status").code == ExitCode.UNSAFE


def test_lost_confirmation(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    shop.write(**{"index.html": "2"})
    shop.probe = lambda target: shop.host.advance(3600.0)
    assert zsops("deploy").code == ExitCode.SELF_REVERTED


def test_drift(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    old = shop.host.daemon.running["web"]
    shop.write(**{"index.html": "2"})
    zsops("deploy")
    shop.host.daemon.running["web"] = old
    said = zsops("status")
    assert said.code == ExitCode.DRIFT
    assert "drift" in said.out


def test_interruption_reverts(
    zsops: Zsops, shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    zsops("deploy")
    shop.write(**{"index.html": "<title>two</title>"})
    aborted = threading.Event()
    abort = Run.abort

    def tell(run: Run) -> None:
        abort(run)
        aborted.set()

    def interrupt(target: Target) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        assert aborted.wait(30)

    monkeypatch.setattr(Run, "abort", tell)
    shop.probe = interrupt
    said = zsops("deploy")
    assert said.code == ExitCode.INTERRUPTED
    assert "stopping: what is unconfirmed goes back" in said.err
    assert b"<title>one" in shop.page()


def test_fault_of_ours(zsops: Zsops, shop: MemoryFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fleet: Fleet, **keywords: object) -> None:
        raise AssertionError("impossible")

    monkeypatch.setattr(Fleet, "plan", broken)
    said = zsops("plan")
    assert said.code == ExitCode.BUG
    assert said.err.startswith("error[zsops]: a fault of zsops: AssertionError: impossible")
    assert "Traceback" not in said.err


def test_status_and_history(zsops: Zsops, shop: MemoryFleet) -> None:
    fresh = zsops("status")
    assert fresh.code == ExitCode.USAGE
    assert "error[not-installed]" in fresh.err
    assert "nothing happened yet" in zsops("history").err
    zsops("deploy", "--reason", "first light")
    status = zsops("status")
    assert status.code == ExitCode.OK
    assert "000001-" in status.out
    assert "match" in status.out
    assert "first light" in zsops("history").out
    (entry,) = [
        each
        for each in zsops("history", "--json").document["result"]["entries"]
        if each["event"] == "committed"
    ]
    assert entry["why"] == "first light"
    shop.host.service().stop_daemon("web")
    stopped = zsops("status")
    assert stopped.code == ExitCode.USAGE
    assert "error[daemon-not-running]" in stopped.err
    document = zsops("status", "--json").document
    assert document["error"]["code"] == "daemon-not-running"
    assert document["result"]["instances"][0]["state"] == "stopped"


def test_rollback_goes_back_and_names_what_it_did(zsops: Zsops, shop: MemoryFleet) -> None:
    assert "error[not-installed]" in zsops("rollback").err
    zsops("deploy")
    assert "error[no-such-release]" in zsops("rollback").err
    shop.write(**{"index.html": "<title>two</title>"})
    zsops("deploy")
    said = zsops("rollback", "local")
    assert said.code == ExitCode.OK
    assert "back to the site of 000001-" in said.err
    assert b"<title>one" in shop.page()
    assert zsops("rollback", "--to", "000002").code == ExitCode.USAGE


def test_a_canary_waits_and_is_promoted_or_taken_back(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    assert zsops("promote").code == ExitCode.USAGE  # nothing waits
    assert zsops("deploy").code == ExitCode.OK
    before = shop.digest("web1")
    shop.write(**{"index.html": "<title>two</title>"})
    assert zsops("deploy", "--strategy", "asks").code == ExitCode.CANARY_WAITS
    back = zsops("abort", "--reason", "ugly")
    assert back.code == ExitCode.OK, back.err
    assert {shop.digest(f"web{at}") for at in range(1, 5)} == {before}
    assert zsops("abort").code == ExitCode.USAGE  # nothing is half way any more

    shop.write(**{"index.html": "<title>three</title>"})
    assert zsops("deploy", "--strategy", "asks").code == ExitCode.CANARY_WAITS
    assert zsops("promote").code == ExitCode.OK
    assert len({shop.digest(f"web{at}") for at in range(1, 5)}) == 1
    assert shop.digest("web1") != before


def test_a_promotion_goes_on_by_percent(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    zsops("deploy")
    shop.write(**{"index.html": "<title>two</title>"})
    assert zsops("deploy", "--strategy", "asks").code == ExitCode.CANARY_WAITS
    fresh = shop.digest("web1")
    half = zsops("promote", "--percent", "50")
    assert half.code == ExitCode.CANARY_WAITS, half.err
    assert [shop.digest(f"web{at}") == fresh for at in range(1, 5)] == [True, True, False, False]
    assert zsops("promote", "--percent", "50").code == ExitCode.CANARY_WAITS  # nothing more yet
    assert zsops("promote").code == ExitCode.OK
    assert {shop.digest(f"web{at}") for at in range(1, 5)} == {fresh}


def test_a_promotion_of_other_bytes_is_refused(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    zsops("deploy")
    shop.write(**{"index.html": "<title>two</title>"})
    zsops("deploy", "--strategy", "asks")
    shop.write(**{"index.html": "<title>three</title>"})
    said = zsops("promote")
    assert said.code == ExitCode.STALE_PLAN
    assert "other bytes" in said.err


def test_options_adjust_the_strategy(zsops: Zsops, shop: MemoryFleet) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    said = zsops("deploy", "--batch", "1,50%", "--max-fail", "1", "--soak", "1ms")
    assert said.code == ExitCode.OK
    assert "wave 3 of 3: web3, web4" in said.err
    assert zsops("deploy", "--max-fail", "25%").code == ExitCode.OK
    wrongs = (["--soak", "7"], ["--batch", "0%"], ["--strategy", "rollin"], ["--max-fail", "x%"])
    for wrong in wrongs:
        refused = zsops("deploy", *wrong)
        assert refused.code == ExitCode.USAGE
        assert wrong[0] in refused.err or "rolling" in refused.err


def test_leases_are_listed_taken_and_broken(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    assert zsops("lock", "ls").out.split() == [
        "HOST",
        "HOLDER",
        "AGE",
        "ENDS",
        "WHY",
        "local",
        "-",
        "-",
        "-",
        "-",
    ]
    taken = zsops("lock", "take", "--reason", "load test", "--ttl", "10m")
    assert taken.code == ExitCode.OK
    assert "load test" in zsops("lock", "ls").out
    shop.write(**{"index.html": "<title>two</title>"})
    assert zsops("deploy").code == ExitCode.LOCKED
    assert zsops("lock", "break").code == ExitCode.USAGE  # a reason is wanted
    assert zsops("lock", "break", "--reason", "is over").code == ExitCode.OK
    assert zsops("deploy").code == ExitCode.OK
    told = zsops("history", "--all").out
    assert "lease-broken" not in told or "is over" in told


def test_audit_prune_diff_and_drift(zsops: Zsops, shop: MemoryFleet) -> None:
    zsops("deploy")
    shop.write(**{"index.html": "<title>two</title>", "new.txt": "new"})
    zsops("deploy")
    assert "intact" in zsops("audit", "--verify").out
    shown = zsops("diff", "000001", "000002")
    assert (shown.code, "~ index.html" in shown.out, "+ new.txt" in shown.out) == (0, True, True)
    assert zsops("diff", "000001", "000009").code == ExitCode.USAGE
    assert zsops("drift").code == ExitCode.OK
    dry = zsops("prune", "--keep", "1", "--dry-run")
    assert "000001-" in dry.out
    assert zsops("prune", "--keep", "1").out == dry.out
    assert zsops("diff", "000001", "000002").code == ExitCode.USAGE
    line = shop.host.disk.read("audit.jsonl") or b""
    shop.host.disk.write("audit.jsonl", line.replace(b"committed", b"comitted!", 1), 0o640)
    assert zsops("audit", "--verify").code == ExitCode.DRIFT
    shop.host.daemon.crash("web")
    assert zsops("drift").code == ExitCode.DRIFT


def test_a_required_hook_that_refuses(zsops: Zsops, shop: MemoryFleet) -> None:
    file = shop.directory / "zsops.yaml"
    file.write_text(file.read_text() + "hooks: {pre_deploy: /bin/false}\n")
    for form in ("--json", "--jsonl"):
        refused = zsops("deploy", form)
        assert refused.code == ExitCode.HOOK
        last = json.loads(refused.out.splitlines()[-1])
        assert last["error"]["code"] == "hook-failed"
        assert last["exit"] == 15
    assert not shop.host.service().observe("web").installed


def test_every_command_answers_in_one_form(zsops: Zsops, shop: MemoryFleet) -> None:
    """Good or refused, with `--json` or `--jsonl`: one document of the form `schema document`."""
    zsops("deploy")
    shop.write(**{"index.html": "<title>two</title>"})
    zsops("deploy")
    asked = """\
        init|check|build|plan|status|history --all|audit --verify|drift|diff 1 2|prune --dry-run
        explain sites|schema notice|lock ls|hosts ls|hosts recipients|tls status|tls rotate
        ech status|ech rotate|secrets rekey|secrets edit --stdin x|promote|abort|nonsense"""
    for words in (each.split() for line in asked.splitlines() for each in line.split("|")):
        said = zsops(*words, "--json")
        found = Document.model_validate_json(said.out)
        assert found.exit == said.code, words
        assert (found.error is None) == (found.result is not None), words
        named = words[0] if words[0] != "nonsense" else ""
        assert found.command == named, words
        last = json.loads(zsops(*words, "--jsonl").out.splitlines()[-1])
        assert last["v"] == 1, words
        assert last["exit"] == said.code, words
    run_document = zsops("rollback", "--json").document
    assert Document.model_validate(run_document).exit == 0


@pytest.mark.parametrize("name", ["document", "notice"])
def test_schemas_are_the_ones_programs_rely_on(zsops: Zsops, name: str) -> None:
    frozen = (Path(__file__).resolve().parents[3] / "cases" / f"{name}.schema.json").read_text()
    assert json.loads(zsops("schema", name).out) == json.loads(frozen)


def test_every_exit_code_of_this_version_is_reached_here() -> None:
    """Reads this file: a code without a test that ends with it is a promise nobody checks."""
    text = Path(__file__).read_text()
    later = {ExitCode.TRUST}
    assert set(MEANING) == set(ExitCode)
    missing = [code for code in ExitCode if f"ExitCode.{code.name}" not in text]
    assert not missing
    assert all("not in this version" in MEANING[code] for code in later)


def test_exec_runs_here_and_fails_with_its_own_code(zsops: Zsops) -> None:
    good = zsops("exec", "--", "printf", "a b\\n")
    assert (good.code, good.out) == (ExitCode.OK, "local | a b\n")
    bad = zsops("exec", "--json", "--", "sh", "-c", "echo no >&2; exit 3")
    assert bad.code == ExitCode.COMMAND_FAILED
    (host,) = bad.document["result"]["hosts"]
    assert (host["code"], host["stderr"]) == (3, "no\n")
    assert zsops("exec").code == ExitCode.USAGE


def test_pause_keeps_deployments_away_but_not_the_way_back(zsops: Zsops, shop: MemoryFleet) -> None:
    for text in ("one", "two"):
        shop.write(**{"index.html": f"<title>{text}</title>"})
        assert zsops("deploy").code == ExitCode.OK
    assert zsops("pause", "--reason", "fair").code == ExitCode.OK
    assert "paused by" in zsops("status").err
    shop.write(**{"index.html": "<title>three</title>"})
    refused = zsops("deploy")
    assert refused.code == ExitCode.LOCKED
    assert "error[paused]" in refused.err
    assert "(fair)" in refused.err
    assert zsops("rollback").code == ExitCode.OK
    assert "goes on, was paused by" in zsops("resume").out
    assert "was not paused" in zsops("resume").out
    assert zsops("deploy").code == ExitCode.OK


def test_drift_is_healed(zsops: Zsops, shop: MemoryFleet) -> None:
    assert zsops("deploy").code == ExitCode.OK
    shop.host.service().stop_daemon("web")
    assert zsops("drift").code == ExitCode.DRIFT
    healed = zsops("drift", "--heal")
    assert healed.code == ExitCode.OK
    assert "was down" in healed.err
    assert zsops("drift", "--heal", "--json").document["result"]["healed"][0]["done"] == []


def test_daemons_are_installed_started_and_stopped(zsops: Zsops) -> None:
    assert zsops("daemon", "status").code == ExitCode.DRIFT
    assert zsops("daemon", "install").code == ExitCode.OK
    assert zsops("daemon", "status", "--json").document["result"]["daemons"][0]["running"] is True
    assert "stopped" in zsops("daemon", "stop").out
    assert zsops("daemon", "reload").code == ExitCode.USAGE
    for verb in ("start", "reload", "restart"):
        assert "pid" in zsops("daemon", verb).out


def test_logs_are_merged_and_harmless(zsops: Zsops, shop: MemoryFleet) -> None:
    assert zsops("deploy").code == ExitCode.OK
    text = "2026-01-01T00:00:01Z one\n2026-01-01T00:00:02Z \x1b[2Jtwo\n"
    shop.host.disk.write("i/web/log/daemon.log", text.encode(), 0o640)
    said = zsops("logs", "--unit", "daemon", "--grep", "two")
    assert said.out == "local web | 2026-01-01T00:00:02Z \N{REPLACEMENT CHARACTER}[2Jtwo\n"
    assert zsops("logs", "--since", "x").code == ExitCode.USAGE


def test_live_check_finds_a_clock_that_is_wrong(zsops: Zsops, shop: MemoryFleet) -> None:
    for asked in (("check", "--live"), ("hosts", "facts")):
        shop.host.reachable = True
        said = zsops(*asked)
        assert said.code == ExitCode.DRIFT
        assert "its clock is -" in said.err
        assert "memory 1" in said.out
        shop.host.reachable = False
        assert zsops(*asked).code == ExitCode.UNREACHABLE


def test_a_run_is_taken_up_by_its_name(zsops: Zsops, shop: MemoryFleet) -> None:
    run_id = "01M86G204H1C038ZCZQCQ0A3NN"
    left = m.TakeLease(who="ana@ci", why="deploy", ttl_s=600.0, run=run_id)
    shop.host.service().take_lease(left)
    refused = zsops("deploy")
    assert refused.code == ExitCode.LOCKED
    assert f"zsops deploy --resume {run_id}" in refused.err
    assert zsops("deploy", "--resume", "nonsense").code == ExitCode.USAGE
    assert zsops("deploy", "--resume", run_id).code == ExitCode.OK
