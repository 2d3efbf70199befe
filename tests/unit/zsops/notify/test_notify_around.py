"""Hooks and notices around real runs on a host in memory, with a real receiver."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.memory_fleet import CONFIG, MemoryFleet
from support.receiver import Receiver

from zsops.errors import ExitCode
from zsops.notify.hooks import HookFailed
from zsops.notify.send import signature
from zsops.report.events import Event, NoteEvent, SummaryEvent

SECRET = "correct horse"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def _shop(directory: Path, more: str) -> MemoryFleet:
    return MemoryFleet.make(directory, CONFIG + more)


def _run(shop: MemoryFleet) -> tuple[list[Event], ExitCode]:
    run = shop.fleet().deploy(reason="a try")
    return list(run), run.exit_code


def _hook(directory: Path, name: str, code: str) -> None:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{code}\n")
    file.chmod(0o755)


def _notes(events: list[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, NoteEvent)]


def test_a_signed_webhook_tells_what_became_of_a_run(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", f"http://{receiver.address}/in?token=hidden")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    shop = _shop(tmp_path, 'notify: [{webhook: "${env:HOOK_URL}", secret: "${env:HOOK_SECRET}"}]\n')
    _, code = _run(shop)
    assert code is ExitCode.OK
    (got,) = receiver.got
    assert got.path == "/in?token=hidden"
    notice = json.loads(got.body)
    assert (notice["v"], notice["event"], notice["reason"]) == (1, "deployed", "a try")
    assert notice["hosts"][0]["outcome"] == "committed"
    stamp = got.headers["x-zsops-timestamp"]
    wanted = hmac.new(SECRET.encode(), f"{stamp}.".encode() + got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-zsops-signature"] == f"v1={wanted}"
    assert got.headers["x-zsops-event"] == "deployed"

    shop.host.daemon.serves_badly.add(shop.fleet().build("hello").release_digest)
    shop.write(**{"index.html": "<title>two</title>"})
    shop.host.daemon.serves_badly.add(shop.fleet().build("hello").release_digest)
    _, code = _run(shop)
    assert code is ExitCode.REVERTED
    assert [json.loads(each.body)["event"] for each in receiver.got] == ["deployed", "reverted"]


def test_apprise_tells_it_too(tmp_path: Path, receiver: Receiver) -> None:
    shop = _shop(tmp_path, f'notify: [{{on: [deployed], to: "json://{receiver.address}/x"}}]\n')
    _run(shop)
    (got,) = receiver.got
    assert json.loads(got.body)["title"] == "local of shop: deployed"
    assert "web on local: committed 000001-" in json.loads(got.body)["message"]


def test_what_cannot_be_told_is_a_warning_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEAD", "http://127.0.0.1:1/token-hidden")
    monkeypatch.setenv("KEY", "secret-hidden")
    monkeypatch.setenv("ODD", "json://user-hidden:word-hidden@127.0.0.1:1/")
    monkeypatch.delenv("ABSENT", raising=False)
    monkeypatch.setenv("FAR", "http://192.0.2.1/far-hidden")
    shop = _shop(
        tmp_path,
        """\
notify:
  - {webhook: "${env:DEAD}", secret: "${env:KEY}"}
  - {to: "${env:ODD}"}
  - {to: "${env:ABSENT}"}
  - {webhook: "${env:FAR}", secret: "${env:KEY}"}
""",
    )
    events, code = _run(shop)
    assert code is ExitCode.OK
    assert _notes(events) == [
        "notify[0]: the webhook cannot be reached: ConnectionRefusedError",
        "notify[1]: it could not be told",
        "notify[2]: `$ABSENT` is not set",
        "notify[3]: the webhook has to be `https`",
    ]
    said = capfd.readouterr()
    shown = "".join(each.model_dump_json() for each in events) + said.out + said.err
    assert "hidden" not in shown


def test_a_receiver_that_stumbles_is_asked_again(tmp_path: Path) -> None:
    with Receiver(503) as receiver:
        more = f'notify: [{{webhook: "http://{receiver.address}/", secret: x}}]\n'
        events, _ = _run(_shop(tmp_path, more))
    assert _notes(events) == []
    assert len({json.loads(each.body)["id"] for each in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_hooks_run_at_their_places_and_know_the_run(tmp_path: Path) -> None:
    shop = _shop(
        tmp_path,
        "hooks: {pre_plan: ./note.sh, pre_deploy: [./note.sh, a b], post_deploy: ./note.sh}\n",
    )
    _hook(
        tmp_path,
        "note.sh",
        'echo "$ZSOPS_HOOK $ZSOPS_ENV $ZSOPS_COMMAND $ZSOPS_HOSTS,$ZSOPS_EXIT,$1" >> said',
    )
    _, code = _run(shop)
    assert code is ExitCode.OK
    assert (tmp_path / "said").read_text().splitlines() == [
        "pre_plan local plan ,,",
        "pre_deploy local deploy local,,a b",
        "post_deploy local deploy local,0,",
    ]


def test_a_text_is_a_path_and_no_shell_line(tmp_path: Path) -> None:
    shop = _shop(tmp_path, 'hooks: {pre_deploy: "./a hook.sh"}\n')
    _hook(tmp_path, "a hook.sh", "touch ran")
    _run(shop)
    assert (tmp_path / "ran").exists()


def test_a_required_hook_stops_the_run_before_any_host(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "hooks: {pre_deploy: ./gate.sh}\n")
    _hook(tmp_path, "gate.sh", "echo not on a friday; exit 3")
    with pytest.raises(HookFailed, match=r"exited with 3\n  \| not on a friday"):
        _run(shop)
    assert not shop.host.service().observe("web").installed


def test_the_end_of_a_run_says_that_a_required_hook_failed(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "hooks: {post_deploy: [./gone.sh]}\n")
    events, code = _run(shop)
    summary = events[-1]
    assert isinstance(summary, SummaryEvent)
    assert (code, summary.exit, summary.committed) == (ExitCode.HOOK, 15, 1)
    assert summary.error is not None
    assert summary.error.code == "hook-failed"
    assert "cannot be started" in summary.error.message


def test_a_hook_that_is_not_required_or_hangs_is_a_warning(tmp_path: Path) -> None:
    wish = "{run: [sleep, '60'], timeout: 100ms, required: false}"
    events, code = _run(_shop(tmp_path, f"hooks: {{post_deploy: {wish}}}\n"))
    assert code is ExitCode.OK
    assert _notes(events) == ["hook `post_deploy`: `sleep` took longer than 100ms"]


def test_a_signature_covers_time_and_body() -> None:
    one = signature("s", "1", b"{}")
    assert one == signature("s", "1", b"{}")
    assert len({one, signature("s", "2", b"{}"), signature("t", "1", b"{}")}) == 3
