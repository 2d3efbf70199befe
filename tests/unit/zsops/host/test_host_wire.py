"""Codec and frames: what is sent arrives; what is malformed is refused in words."""

from __future__ import annotations

import io
import json
import os
import subprocess  # noqa: TID251 - a fresh interpreter, to see what it imports
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsops import errors
from zsops.host import calls
from zsops.host import messages as m
from zsops.host.codec import from_json, to_json
from zsops.host.frames import Descriptor, FrameReader, FrameWriter

APPLY = m.Apply(
    3,
    "web",
    "000001-aaaa",
    m.HealthPolicy(
        checks=(m.StatusCheck("/", (200, 304), "x", (("a", "b"),)),),
        content=(m.ContentCheck("a", "0" * 64, 1),),
    ),
)


def test_a_nested_message_survives_the_wire() -> None:
    assert from_json(m.Apply, json.loads(json.dumps(to_json(APPLY)))) == APPLY
    event = m.StepEvent(m.Step.HEALTH, m.Progress.FAILED, error=m.Fault("a", "b"))
    assert from_json(m.StepEvent, json.loads(json.dumps(to_json(event)))) == event


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "should be an object"),
        ({"token": 1, "instance": "w"}, "lacks a key"),
        ({"token": "1", "instance": "w", "release": "r"}, "`Confirm.token` should be int"),
        ({"token": True, "instance": "w", "release": "r"}, "`Confirm.token` should be int"),
        ({"token": 1, "instance": "w", "release": "r", "x": 1}, "unknown key `x`"),
    ],
)
def test_a_malformed_message_is_named(value: object, text: str) -> None:
    with pytest.raises(errors.ProtocolMismatch, match=text):
        from_json(m.Confirm, value)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=2000),
            st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
        ),
        max_size=5,
    )
)
def test_frames_arrive_as_they_were_sent(frames: list[bytes | dict[str, object]]) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as source:  # noqa: PTH123 - a descriptor
        sink = FrameWriter(writer, 5.0)

        def send() -> None:
            for frame in frames:
                sink.send(frame)
            os.close(writer)

        thread = threading.Thread(target=send)
        thread.start()
        received = []
        read = FrameReader(source)
        while (frame := read.read()) is not None:
            received.append(frame)
        thread.join()
    assert received == frames


@given(st.binary(min_size=1, max_size=64))
def test_noise_is_a_mismatch_or_a_lost_link(noise: bytes) -> None:
    reader = FrameReader(io.BytesIO(noise))
    try:
        while reader.read() is not None:
            pass
    except (errors.ProtocolMismatch, errors.LinkLost):
        pass


def test_a_reader_that_is_stuck_is_given_up() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(errors.LinkLost, match="nobody read"):
            FrameWriter(writer, 0.05).send(b"x" * 200_000)
    finally:
        os.close(reader)
        os.close(writer)


def test_every_error_a_host_sends_comes_back_typed() -> None:
    for kind in (errors.LeaseHeld, errors.Quarantined, errors.DiskFull, errors.SelfReverted):
        told = errors.wire_error(kind("what", hint="do"))
        back = errors.host_error(str(told["code"]), str(told["message"]), told["hint"])
        assert (type(back), back.render()) == (kind, kind("what", hint="do").render())
    unknown = errors.host_error("from-the-future", "what", None)
    assert (type(unknown), unknown.message) == (errors.HostError, "what [from-the-future]")


def test_error_codes_are_distinct() -> None:
    codes = [kind.code for kind in _all_kinds(errors.ZsopsError)]
    assert len(codes) == len(set(codes))


def _all_kinds(kind: type[errors.ZsopsError]) -> list[type[errors.ZsopsError]]:
    own = [kind] if kind.__module__ == errors.__name__ else []
    return own + [one for child in kind.__subclasses__() for one in _all_kinds(child)]


def test_the_worst_code_decides() -> None:
    code = errors.ExitCode
    assert errors.worst([]) is code.OK
    assert errors.worst([code.OK, code.REVERTED, code.UNREACHABLE]) is code.REVERTED
    order = [code.UNSAFE, code.PARTIAL, code.SELF_REVERTED, code.REVERTED, code.UNREACHABLE]
    for index, worse in enumerate(order):
        assert errors.worst(order[index:]) is worse


def test_calls_are_named_once() -> None:
    assert len(calls.BY_NAME) == 30
    assert all(name == call.name for name, call in calls.BY_NAME.items())


@pytest.mark.parametrize("module", ["zsops.host.serve", "zsops.host.supervise"])
def test_the_host_side_imports_no_outside_package(module: str) -> None:
    """`zsops-host` starts fast, and runs where the operator's dependencies are absent."""
    code = f"import sys, {module}; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = {name.partition(".")[0] for name in eval(done.stdout)}
    heavy = {"typer", "rich", "pydantic", "ruamel", "click", "paramiko", "cffi", "asyncio"}
    assert loaded & (heavy | {"cryptography"}) == set()


def test_a_sender_that_went_silent_is_given_up() -> None:
    reader, writer = os.pipe()
    source = Descriptor(reader)
    source.patience_s = 0.05
    try:
        os.write(writer, b"B\0\0")
        with pytest.raises(errors.LinkLost, match="nothing came"):
            FrameReader(source).read()
    finally:
        os.close(reader)
        os.close(writer)
