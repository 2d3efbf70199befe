"""A session that a key is pinned to: it deploys its instances, and runs no program it brings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.deployment import SETTINGS

from zsops.frozen import replace
from zsops.host import calls, layout
from zsops.host import messages as m
from zsops.host.codec import to_json
from zsops.host.frames import Descriptor, FrameReader, FrameWriter
from zsops.host.machine import Machine
from zsops.host.program import Complete
from zsops.host.serve import Session

_DIGEST = f"sha256:{'0' * 64}"


def _answer(root: Path, call: calls.Call[object, object], request: object) -> dict[str, object]:
    """What a session pinned to `web` answers to one request."""
    asked, ask = os.pipe()
    hear, said = os.pipe()
    try:
        FrameWriter(ask, 5.0).send({"call": call.name, "body": to_json(request)})
        os.close(ask)
        Session(Machine(root), asked, said, frozenset({"web"})).run()
        answer = FrameReader(Descriptor(hear)).read()
    finally:
        for each in (asked, hear, said):
            os.close(each)
    assert isinstance(answer, dict)
    return answer


def _code(answer: dict[str, object]) -> object:
    error = answer.get("error")
    return error["code"] if isinstance(error, dict) else None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert _code(_answer(tmp_path, calls.INSTALL, m.Install("web", SETTINGS))) is None
    return tmp_path


def test_it_may_not_name_the_program_that_is_run(root: Path) -> None:
    shell = replace(SETTINGS, program=("/bin/sh", "-c", "id"))
    assert _code(_answer(root, calls.INSTALL, m.Install("web", shell))) == "out-of-scope"


def test_it_may_not_bring_a_version_of_the_daemon(root: Path) -> None:
    request = m.StageProgram(1, "web", "7.0.0", _DIGEST, 3)
    assert _code(_answer(root, calls.STAGE_PROGRAM, request)) == "out-of-scope"
    home = root / layout.program("7.0.0")
    home.mkdir(parents=True)
    (home / "complete.json").write_text(json.dumps(to_json(Complete("7.0.0", _DIGEST))))
    # One that is there already is not brought: the lease is what is missing now.
    assert _code(_answer(root, calls.STAGE_PROGRAM, request)) == "stale-token"
