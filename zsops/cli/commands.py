"""All commands, and the names people call them by."""

from __future__ import annotations

import typer

from zsops.cli import build, check, deploy, explain, history, init, plan, rollback, schema, status

_COMMANDS = {
    "init": init.init,
    "check": check.check,
    "build": build.build,
    "plan": plan.plan,
    "deploy": deploy.deploy,
    "rollback": rollback.rollback,
    "status": status.status,
    "history": history.history,
    "explain": explain.explain,
    "schema": schema.schema,
}


def register(app: typer.Typer) -> None:
    """Add every command once."""
    if app.registered_commands:
        return
    for name, function in _COMMANDS.items():
        app.command(name)(function)
