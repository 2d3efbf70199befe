"""CPU and memory are those of the whole tree."""

from __future__ import annotations

import os
import subprocess  # noqa: TID251 -- a process tree is what is measured
import sys
import time

from bench import accounting

_BURN = "import os\nif os.fork() == 0:\n    while True: pass\nos.wait()\n"


def test_a_grandchild_counts() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _BURN])
    try:
        deadline = time.monotonic() + 20
        while accounting.read(parent.pid, 0).tree_cpu < 0.2:
            assert time.monotonic() < deadline, accounting.tree(parent.pid)
            time.sleep(0.02)
        tree = accounting.tree(parent.pid)
        assert len(tree) == 2
        assert accounting.pss_mib(parent.pid) > 1
    finally:
        for pid in reversed(accounting.tree(parent.pid)):
            os.kill(pid, 9)
        parent.wait()


def test_spent_is_a_difference_and_never_negative() -> None:
    before = accounting.Reading(at=10.0, tree_cpu=1.0, core_busy=5.0, core_steal=0.0)
    after = accounting.Reading(at=12.0, tree_cpu=2.5, core_busy=6.4, core_steal=0.2)
    spent = accounting.spent(before, after)
    assert (spent.cpu_s, spent.others, spent.steal) == (1.5, 0.0, 0.1)
