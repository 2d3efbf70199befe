"""`zsops schema`: JSON Schemas, for editors and for programs that read the output."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from zsops.cli.invocation import Invocation
from zsops.config.models import FleetConfig
from zsops.plan.model import Plan
from zsops.report.events import events_schema


class Schema(StrEnum):
    """What there is a schema of."""

    CONFIG = "config"
    EVENTS = "events"
    PLAN = "plan"


def schema(
    context: typer.Context,
    of: Annotated[Schema, typer.Argument(help="Which one.")] = Schema.CONFIG,
) -> None:
    """Print the JSON Schema of zsops.yaml, of a line of --jsonl, or of a plan."""
    invocation: Invocation = context.obj
    found = {
        Schema.CONFIG: FleetConfig.model_json_schema,
        Schema.EVENTS: events_schema,
        Schema.PLAN: Plan.model_json_schema,
    }[of]()
    invocation.answer("schema", found, json.dumps(found, indent=2))
