"""A session starts with little: over many hosts its start is what a look costs."""

from __future__ import annotations

import sys

from support.process import run

#: What a look needs none of; each costs several milliseconds at every start.
HEAVY = {
    "dataclasses", "inspect", "importlib.metadata", "subprocess", "ssl", "http.client", "email",
    "tempfile", "asyncio", "cryptography", "cffi", "pydantic", "zeroserve.pack", "zeroserve.check",
}  # fmt: skip


def test_a_session_loads_nothing_that_a_look_does_not_need() -> None:
    script = "import sys, zsops.host.serve; print(*sys.modules)"
    loaded = run([sys.executable, "-S", "-c", _PATH + script])
    assert loaded.code == 0, loaded.stderr
    assert "zsops.host.serve" in loaded.text.split()
    assert set(loaded.text.split()) & HEAVY == set()


#: Without `site`, which may load anything for tools of the developer's.
_PATH = f"import sys; sys.path[:] = {sys.path!r}; "
