"""`zsops drift`: does every host serve what it was given, and nothing else?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from zsops import upkeep
from zsops.cli.columns import columns
from zsops.cli.invocation import Invocation, one_environment
from zsops.cli.options import EnvArgument, EnvOption
from zsops.errors import ExitCode, worst
from zsops.notify.around import tell
from zsops.notify.notice import NoticeHost


def drift(
    context: typer.Context,
    env: EnvArgument = None,
    env_option: EnvOption = None,
    heal: Annotated[
        bool, typer.Option("--heal", help="Bring hosts back to their own record first.")
    ] = False,
) -> None:
    """Compare what hosts serve with their own record. Exit 13 when one differs."""
    invocation: Invocation = context.obj
    fleet = invocation.fleet(one_environment(env, env_option))
    healed = upkeep.heal(fleet) if heal else []
    for done in healed:
        for text in done.done:
            invocation.say(f"{done.instance} on {done.host}: {text}")
        if done.error is not None:
            invocation.say(f"{done.instance} on {done.host}: {done.error.render()}")
    rows, result, codes = [], [], []
    for each in fleet.status():
        seen = each.observation
        said = seen.drift or seen.unsafe or (each.error.message if each.error else None)
        if said is None and each.state != "healthy":
            said = each.state
        if each.error is not None:
            codes.append(each.error.exit_code)
        elif said is not None:
            codes.append(ExitCode.DRIFT)
        rows.append((each.host, each.instance, each.state, said or "-"))
        result.append(
            {"host": each.host, "instance": each.instance, "state": each.state, "drift": said}
        )
    code = worst(codes)
    drifted = [
        NoticeHost(host=host, instance=instance, outcome="drift", detail=said)
        for host, instance, _, said in rows
        if said != "-"
    ]
    if drifted:
        for problem in tell(fleet, "drift", "drift", fleet.info(""), drifted):
            invocation.warn(problem)
    text = columns(("HOST", "INSTANCE", "STATE", "DRIFT"), rows)
    answer = {"environment": fleet.env, "instances": result, "healed": _healed(healed)}
    invocation.answer("drift", answer, text, code)
    raise typer.Exit(code)


def _healed(healed: Sequence[upkeep.HealedAt]) -> list[dict[str, Any]]:
    return [
        {
            "host": each.host,
            "instance": each.instance,
            "done": list(each.done),
            "error": each.error.message if each.error else None,
        }
        for each in healed
    ]
