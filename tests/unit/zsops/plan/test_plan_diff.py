"""Plans from cases in `tests/cases/plan`: wish and observation in, the plan's text out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from zsops.errors import StalePlan
from zsops.host import messages as m
from zsops.plan.diff import PLAN_LIFETIME, content_checks, diff_files, make_plan
from zsops.plan.model import Plan
from zsops.plan.stale import refuse_changed, refuse_expired, refuse_other_bytes
from zsops.plan.wish import Facts, WishedFile, WishedInstance
from zsops.report.plan_text import plan_text

CASES = Path(__file__).resolve().parents[3] / "cases" / "plan"
NOW = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)


def case_plan(name: str) -> Plan:
    """The plan of a case."""
    case = json.loads((CASES / f"{name}.json").read_text())
    wish = TypeAdapter(WishedInstance).validate_python(case["wish"])
    seen = TypeAdapter(m.Observation).validate_python(case["observation"])
    members = TypeAdapter(tuple[m.HostedMember, ...]).validate_python(case["members"])
    facts = {(wish.host, wish.instance): Facts(seen, members)}
    return make_plan([wish], facts, project="acme", environment="prod", now=NOW)


@pytest.mark.parametrize("case", sorted(each.stem for each in CASES.glob("*.json")))
def test_plan_reads_as_expected(case: str) -> None:
    assert plan_text(case_plan(case)) + "\n" == (CASES / f"{case}.txt").read_text()


def test_plan_is_a_function_of_its_inputs() -> None:
    assert case_plan("changed-files") == case_plan("changed-files")
    assert case_plan("changed-files").id != case_plan("first-deploy").id


def test_saved_form_reads_back() -> None:
    plan = case_plan("changed-files")
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_full_lists_every_file() -> None:
    plan = case_plan("many-files")
    assert plan_text(plan, full=True).count("p/0") == len(plan.instances[0].changes)


def test_plan_expires_after_an_hour() -> None:
    plan = case_plan("changed-files")
    refuse_expired(plan, NOW + PLAN_LIFETIME - timedelta(seconds=1))
    with pytest.raises(StalePlan, match="expired"):
        refuse_expired(plan, NOW + PLAN_LIFETIME)


def test_plan_is_bound_to_the_state_it_saw() -> None:
    plan = case_plan("changed-files")
    refuse_changed(plan, {("local", "web"): plan.instances[0].observed})
    refuse_changed(plan, {})
    with pytest.raises(StalePlan, match="`web` on `local` changed"):
        refuse_changed(plan, {("local", "web"): "sha256:" + "6" * 64})


def test_plan_is_bound_to_bytes_instances_and_environment() -> None:
    saved = case_plan("changed-files")
    refuse_other_bytes(saved, saved)
    (instance,) = saved.instances
    other = instance.model_copy(update={"new_release_digest": "sha256:" + "7" * 64})
    with pytest.raises(StalePlan, match="other bytes"):
        refuse_other_bytes(saved, saved.model_copy(update={"instances": (other,)}))
    with pytest.raises(StalePlan, match="other instances"):
        refuse_other_bytes(saved, saved.model_copy(update={"instances": ()}))
    with pytest.raises(StalePlan, match="is for `prod`"):
        refuse_other_bytes(saved, saved.model_copy(update={"environment": "stage"}))


def test_diff_names_each_file_once_in_order() -> None:
    old = [m.HostedMember("a", 1, "x"), m.HostedMember("b", 2, "y"), m.HostedMember("c", 3, "z")]
    new = [
        WishedFile("b", 9, "q", True),
        WishedFile("c", 3, "z", True),
        WishedFile("d", 4, "w", True),
    ]
    found = [(e.path, e.kind, e.old_size, e.new_size) for e in diff_files(old, new)]
    assert found == [
        ("a", "removed", 1, None),
        ("b", "changed", 2, 9),
        ("d", "added", None, 4),
    ]


def test_content_checks_take_changed_verbatim_files() -> None:
    files = [
        WishedFile("same", 1, "s", True),
        WishedFile("template.html", 2, "t", False),
        WishedFile("new", 3, "n", True),
    ]
    old = [m.HostedMember("same", 1, "s"), m.HostedMember("template.html", 2, "old")]
    changes = diff_files(old, files)
    assert [each.path for each in content_checks(changes, files)] == ["new"]
    assert [each.path for each in content_checks((), files)] == ["same", "new"]


def test_content_checks_are_bounded_and_prefer_small_files() -> None:
    files = [WishedFile(f"{size}", size, "d", True) for size in range(500, 0, -1)]
    found = content_checks(diff_files([], files), files)
    assert len(found) == m.CONTENT_CHECKS_MAX
    assert max(each.size for each in found) == m.CONTENT_CHECKS_MAX
