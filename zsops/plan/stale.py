"""Is a plan still what would happen? A plan is bound to the state of every instance it names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from zsops.errors import StalePlan
from zsops.plan.model import Plan

_HINT = "make a new plan: `zsops plan {}`"


def refuse_expired(plan: Plan, now: datetime) -> None:
    """Raise StalePlan when the plan's hour has passed."""
    if now >= datetime.fromisoformat(plan.expires):
        raise StalePlan(
            f"plan `{plan.id}` expired at {plan.expires}", hint=_HINT.format(plan.environment)
        )


def refuse_changed(plan: Plan, state_digests: Mapping[tuple[str, str], str]) -> None:
    """Raise StalePlan when an instance is not in the state the plan was made for.

    `state_digests` by (host, instance); instances that are missing there are not judged.
    """
    for each in plan.instances:
        now = state_digests.get((each.host, each.instance))
        if now is not None and now != each.observed:
            raise StalePlan(
                f"instance `{each.instance}` on `{each.host}` changed since plan `{plan.id}`",
                hint=_HINT.format(plan.environment),
            )


def refuse_other_bytes(saved: Plan, fresh: Plan) -> None:
    """Raise StalePlan when the sites no longer build to the bytes that were planned, or the
    configuration names other instances."""
    if saved.project != fresh.project or saved.environment != fresh.environment:
        raise StalePlan(
            f"plan `{saved.id}` is for `{saved.environment}` of project `{saved.project}`",
            hint=_HINT.format(fresh.environment),
        )
    if saved.site != fresh.site:
        raise StalePlan(
            f"plan `{saved.id}` is for {_scope(saved)}, not for {_scope(fresh)}",
            hint=_HINT.format(fresh.environment),
        )
    planned = {(each.host, each.instance): each for each in saved.instances}
    wished = {(each.host, each.instance): each for each in fresh.instances}
    if planned.keys() != wished.keys():
        raise StalePlan(
            f"plan `{saved.id}` was made for other instances than `zsops.yaml` names now",
            hint=_HINT.format(fresh.environment),
        )
    for key, instance in planned.items():
        if instance.secrets.source != wished[key].secrets.source:
            raise StalePlan(
                f"certificate or keys of `{key[1]}` are others than plan `{saved.id}` was made for",
                hint=_HINT.format(fresh.environment),
            )
        if instance.new_release_digest != wished[key].new_release_digest:
            raise StalePlan(
                f"site `{instance.site}` builds to other bytes than plan `{saved.id}` says",
                hint=_HINT.format(fresh.environment),
            )


def _scope(plan: Plan) -> str:
    return "all sites" if plan.site is None else f"site `{plan.site}` alone"
