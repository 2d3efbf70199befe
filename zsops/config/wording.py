"""Pydantic's findings in our words, each at its place in the file."""

from __future__ import annotations

import types
import typing

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from zsops.config import duration
from zsops.config.document import Document, Location
from zsops.config.later import is_later
from zsops.config.models import FleetConfig
from zsops.config.problems import Problem, did_you_mean

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "`true` or `false`",
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of names",
    "mapping_type": "a mapping of names",
    "tuple_type": "a list",
    "list_type": "a list",
}

#: What to write instead, for the values that have a form of their own.
_FORMS = {
    "duration": duration.FORM_HINT,
    "address": "write `127.0.0.1:8443`, `[::1]:8443`, or `:443` for every address",
    "path": "write it as `/about/`",
    "name": "write it as `my-site`",
}


def problem_of(found: ErrorDetails, document: Document) -> Problem:
    """The problem that `found` stands for."""
    location: Location = tuple(part for part in found["loc"] if part != "[key]")
    kind = found["type"]
    if kind == "extra_forbidden":
        return _unknown_key(location, document)
    if kind == "missing":
        where = place(location[:-1])
        text = f"missing key `{location[-1]}` in {where}"
        field = _fields(location[:-1]).get(str(location[-1]))
        hint = f"add `{location[-1]}:`, {field}" if field else None
        return Problem(document.key(location[:-1]), text, hint)
    is_key = "[key]" in found["loc"]
    span = document.key(location) if is_key else document.value(location)
    return Problem(span, _value_text(found, location), _value_hint(found, location))


def place(location: Location) -> str:
    """A location for people: `environments.prod.hosts`, or `the file` for the top."""
    if not location:
        return "the file"
    dotted = ""
    for part in location:
        dotted += f"[{part}]" if isinstance(part, int) else f".{part}" if dotted else part
    return f"`{dotted}`"


def _unknown_key(location: Location, document: Document) -> Problem:
    key = str(location[-1])
    where = place(location[:-1]) if len(location) > 1 else ""
    if is_later(location):
        return Problem(
            document.key(location),
            f"`{key}` is not supported by this version" + (f" (in {where})" if where else ""),
            "remove it; a later version gives it a meaning",
        )
    return Problem(
        document.key(location),
        f"unknown key `{key}` in {where or 'the file'}",
        did_you_mean(key, _fields(location[:-1])),
    )


def _value_text(found: ErrorDetails, location: Location) -> str:
    name, kind, context = place(location), found["type"], found.get("ctx", {})
    if kind in _KINDS:
        return f"{name} must be {_KINDS[kind]}, not {_describe(found['input'])}"
    if kind == "literal_error":
        if location[-1] == "mode" and found["input"] == "pull":
            return "`mode: pull` is not supported by this version"
        wanted = context["expected"].replace("'", "`")
        return f"{name} must be {wanted}, not {_describe(found['input'])}"
    if kind == "value_error":
        said = str(context.get("error", found["msg"]))
        return said if said.startswith("`") else f"{name} {said}"
    bounds = {
        "too_short": "not be empty",
        "string_too_short": "not be empty",
        "greater_than_equal": f"be at least {context.get('ge')}",
        "less_than_equal": f"be at most {context.get('le')}",
    }
    return f"{name} must {bounds[kind]}" if kind in bounds else f"{name}: {found['msg'].lower()}"


def _value_hint(found: ErrorDetails, location: Location) -> str | None:
    said = str(found.get("ctx", {}).get("error", ""))
    if said.startswith("must be a path"):
        return _FORMS["path"]
    for form in ("duration", "address"):
        if f"a {form}" in said or f"an {form}" in said:
            return _FORMS[form]
    if said.startswith("must have"):
        return _FORMS["address"]
    if "is not a name" in said:
        return _FORMS["name"]
    if found["type"] == "literal_error" and location[-1] == "mode":
        return "write `mode: push`, or leave it out"
    return None


def _describe(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, int | float) else f"the text `{value}`"


def _fields(location: Location) -> dict[str, str]:
    """Keys that `location` may hold and what each one is."""
    model = section_at(location)
    if model is None:
        return {}
    return {name: field.description or name for name, field in model.model_fields.items()}


def section_at(location: Location) -> type[BaseModel] | None:
    """The model of the mapping at `location`; None where names are free or there is none."""
    here: object = FleetConfig
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = _bare(field.annotation) if field else None
        else:
            # A mapping's values or a list's items: the last argument that is no ellipsis.
            inner = [each for each in typing.get_args(here) if each is not ...]
            here = _bare(inner[-1]) if inner else None
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _bare(annotation: object) -> object:
    """`X` of `X | None` and of `Annotated[X, …]`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(annotation) if each is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else annotation
    return annotation
