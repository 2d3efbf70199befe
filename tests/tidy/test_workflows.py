"""Workflows hold no logic: they call the Makefile's verbs, which a person can call as well."""

from __future__ import annotations

import re

from ruamel.yaml import YAML
from tracked_files import Checkout

ACTIONS = {"actions/checkout", "actions/cache", "actions/setup-python", "dtolnay/rust-toolchain"}


def test_steps_are_verbs_that_exist(checkout: Checkout) -> None:
    verbs = set(re.findall(r"^([a-z][a-z-]*):", checkout.text("Makefile"), re.MULTILINE))
    assert {"demo", "test", "lint", "bench", "verify", "fuzz", "soak", "clean"} <= verbs
    workflows = checkout.matching(".yml", ".yaml", under=".github/workflows/")
    assert workflows
    for path in workflows:
        for name, job in YAML(typ="safe").load(checkout.text(path))["jobs"].items():
            for step in job["steps"]:
                where = f"{path}: {name}: {step}"
                if "uses" in step:
                    assert step["uses"].partition("@")[0] in ACTIONS, where
                else:
                    verb = re.fullmatch(r"make ([a-z-]+)", step["run"].strip())
                    assert verb, where
                    assert verb[1] in verbs, where
