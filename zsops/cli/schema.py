"""`zsops schema`: JSON Schemas, for editors and for programs that read the output."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from zsops.cli.invocation import Invocation
from zsops.config.models import FleetConfig
from zsops.notify.notice import Notice
from zsops.plan.model import Plan
from zsops.report.document import Document
from zsops.report.events import events_schema


class Schema(StrEnum):
    """What there is a schema of."""

    CONFIG = "config"
    EVENTS = "events"
    PLAN = "plan"
    DOCUMENT = "document"
    NOTICE = "notice"


def schema(
    context: typer.Context,
    of: Annotated[Schema, typer.Argument(help="Which one.")] = Schema.CONFIG,
) -> None:
    """Print the JSON Schema of zsops.yaml, of a line of --jsonl, of a plan, of the document of
    --json, or of what a webhook gets.
    """
    invocation: Invocation = context.obj
    found = {
        Schema.CONFIG: FleetConfig.model_json_schema,
        Schema.EVENTS: events_schema,
        Schema.PLAN: Plan.model_json_schema,
        Schema.DOCUMENT: Document.model_json_schema,
        Schema.NOTICE: Notice.model_json_schema,
    }[of]()
    invocation.answer("schema", found, json.dumps(found, indent=2))
