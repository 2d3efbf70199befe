"""All commands, and the names people call them by."""

from __future__ import annotations

from collections.abc import Callable

import typer

from zsops.cli import (
    audit,
    build,
    check,
    daemon,
    deploy,
    dev,
    diff,
    doctor,
    drift,
    ech,
    execute,
    explain,
    history,
    hosts,
    init,
    lock,
    logs,
    pause,
    plan,
    prune,
    rollback,
    rollout,
    schema,
    secrets,
    status,
    tls,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "init": init.init,
    "check": check.check,
    "build": build.build,
    "dev": dev.dev,
    "plan": plan.plan,
    "deploy": deploy.deploy,
    "promote": rollout.promote,
    "abort": rollout.abort,
    "rollback": rollback.rollback,
    "status": status.status,
    "history": history.history,
    "audit": audit.audit,
    "drift": drift.drift,
    "diff": diff.diff,
    "prune": prune.prune,
    "pause": pause.pause,
    "resume": pause.resume,
    "logs": logs.logs,
    "exec": execute.execute,
    "ssh": execute.ssh,
    "doctor": doctor.doctor,
    "explain": explain.explain,
    "schema": schema.schema,
}


def register(app: typer.Typer) -> None:
    """Add every command once."""
    if app.registered_commands:
        return
    for name, function in _COMMANDS.items():
        app.command(name)(function)
    app.add_typer(lock.app, name="lock")
    app.add_typer(hosts.app, name="hosts")
    app.add_typer(tls.app, name="tls")
    app.add_typer(ech.app, name="ech")
    app.add_typer(daemon.app, name="daemon")
    app.add_typer(secrets.app, name="secrets")
