"""`zsops drift --watch`: what changes from look to look, and how it ends. Nothing here sleeps."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import Zsops
from support.memory_fleet import CONFIG, FLEET, MemoryFleet
from support.receiver import Receiver

from zsops import drift
from zsops.errors import ExitCode
from zsops.facts.status import InstanceStatus
from zsops.fleet import Fleet
from zsops.report.events import DriftEvent, SummaryEvent, parse_event

#: Before each look one of these happens; the last one ends the watch.
Story = Callable[..., None]


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    look = Fleet.status

    def tell(*happenings: Callable[[], object]) -> None:
        left = list(happenings)

        def status(fleet: Fleet) -> tuple[InstanceStatus, ...]:
            left.pop(0)()
            return look(fleet)

        monkeypatch.setattr(Fleet, "status", status)

    return tell


def _nothing() -> None:
    pass


def _end(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def test_only_changes_are_told_until_a_signal_ends_it(
    zsops: Zsops, shop: MemoryFleet, story: Story
) -> None:
    (shop.directory / "zsops.yaml").write_text(FLEET)
    zsops("deploy")

    def crash() -> None:
        shop.of("web2").daemon.crash("web")

    def mend() -> None:
        shop.of("web2").advance(1.0)

    def lose() -> None:
        shop.of("web4").reachable = False

    story(_nothing, crash, _nothing, mend, lose, _end())
    said = zsops("drift", "--watch", "--interval", "1ms")
    assert [line.split("  ")[1:] for line in said.out.splitlines()] == [
        ["web2", "web", "stopped"],
        ["web2", "web", "healthy"],
        ["web4", "web", "`web4` does not answer"],
    ]
    assert said.code == ExitCode.UNREACHABLE
    assert said.err == "looking at 4 instances of prod every 1ms; ^C ends it\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_the_first_look_tells_what_drifts_already(
    zsops: Zsops, shop: MemoryFleet, story: Story, number: signal.Signals
) -> None:
    zsops("deploy")
    shop.host.daemon.crash("web")
    story(_end(number))
    said = zsops("drift", "--watch")  # a minute between looks: the signal ends the wait as well
    assert said.code == ExitCode.DRIFT
    assert said.out.endswith("  local  web  stopped\n")
    before = signal.getsignal(number)
    assert before in (signal.SIG_DFL, signal.default_int_handler) or number == signal.SIGALRM


def test_events_and_a_document(zsops: Zsops, shop: MemoryFleet, story: Story) -> None:
    zsops("deploy")
    story(lambda: shop.host.daemon.crash("web"), _end())
    lines = zsops("drift", "--watch", "--interval", "1ms", "--jsonl").out.splitlines()
    event, summary = (parse_event(line) for line in lines)
    assert isinstance(event, DriftEvent)
    assert (event.host, event.instance, event.drift) == ("local", "web", "stopped")
    assert isinstance(summary, SummaryEvent)
    assert (summary.exit, summary.run) == (13, event.run)
    story(_end())
    document = zsops("drift", "--watch", "--json").document
    assert (document["exit"], document["result"]["instances"][0]["state"]) == (13, "stopped")


def test_what_drifts_is_healed_and_told_once(
    tmp_path: Path, zsops: Zsops, shop: MemoryFleet, story: Story
) -> None:
    with Receiver() as receiver:
        more = f'notify: [{{webhook: "http://{receiver.address}/", secret: x}}]\n'
        (shop.directory / "zsops.yaml").write_text(CONFIG + more)
        zsops("deploy")

        def crash() -> None:
            shop.host.daemon.crash("web")

        story(crash, _nothing, _nothing, _end())
        assert zsops("drift", "--watch", "--interval", "1ms").code == ExitCode.DRIFT
        events = [json.loads(each.body)["event"] for each in receiver.got]
        assert events == ["deployed", "drift"]
        story(_nothing, _nothing, _end())  # a look, one after healing, and the last
        healed = zsops("drift", "--watch", "--heal", "--interval", "1ms")
    assert healed.code == ExitCode.OK
    assert healed.out == ""
    assert "was down" in healed.err


def test_a_program_gets_reports_with_their_notices(tmp_path: Path) -> None:
    with Receiver() as receiver:
        more = f'notify: [{{webhook: "http://{receiver.address}/", secret: x}}]\n'
        shop = MemoryFleet.make(tmp_path, CONFIG + more)
        shop.deploy()
        assert drift.report(shop.fleet()).exit_code == ExitCode.OK
        shop.host.daemon.crash("web")
        report = drift.report(shop.fleet())
    assert (report.exit_code, report.warnings) == (ExitCode.DRIFT, ())
    assert [json.loads(each.body)["event"] for each in receiver.got] == ["deployed", "drift"]


def test_a_wrong_interval_is_refused(zsops: Zsops) -> None:
    assert zsops("drift", "--watch", "--interval", "5").code == ExitCode.USAGE
