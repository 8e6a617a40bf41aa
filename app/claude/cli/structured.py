"""The answer that must satisfy a JSON Schema.

The model is told the whole schema, the CLI's checker what it takes of it, and what comes is checked here once more.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from app import schema_check
from app.claude.cli import tool_names
from app.claude.cli.incoming import Result
from app.claude.cli.schemas import cut, flat, nullable
from app.errors import SchemaUnsatisfied
from app.events import Event, TextDelta

# The tool that the CLI takes the answer from.
TOOL = "StructuredOutput"
TASK = "Give your final answer by calling this tool, exactly once and last of all: its input is the answer."


class Misfit(SchemaUnsatisfied):
    """The answer does not satisfy its schema; `complaint` tells the model where."""

    def __init__(self, message: str, *, complaint: str = "") -> None:
        super().__init__(message)
        self.complaint = complaint


def tool(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the tool by which the model answers, as the API gets it."""
    form, note = tool_names.shown(schema)
    return {"name": TOOL, "description": "\n\n".join(filter(None, (TASK, note))), "input_schema": form}


def checked_by_cli(schema: dict[str, Any], *, alone: bool) -> dict[str, Any]:
    """Return the schema that the CLI gets; `alone` says that it is all that the model gets, too."""
    form = cut(nullable(tool_names.shown(schema)[0]))
    if alone:
        whole = f"It must satisfy this JSON Schema: {json.dumps(schema, ensure_ascii=False)}"
        form["description"] = "\n\n".join(filter(None, (form.get("description"), whole)))
    return form


def content(result: Result, stop_reason: str, schema: dict[str, Any]) -> list[Event]:
    """Return the object of a finished turn as text, or the model's words where it refused.

    Raises SchemaUnsatisfied, and Misfit where another try may help.
    """
    raw = bytes(result.structured_output)
    if stop_reason == "refusal":
        return [TextDelta(msgspec.json.encode(result.result or ""))]
    if not raw or raw == b"null":
        raise SchemaUnsatisfied("The model gave no answer in the form of response_format.")
    names = tool_names.properties(flat(schema)[0])
    text = tool_names.Renaming({new: old for old, new in names.items()}).feed(raw.decode()) if names else raw.decode()
    try:
        place = schema_check.mismatch(nullable(schema), text.encode())
    except schema_check.CheckFailed as error:
        raise SchemaUnsatisfied(f"The model's answer to response_format {error}.") from None
    if place is not None:
        raise Misfit(
            f"The model's answer does not satisfy response_format at {place}.",
            complaint=f"Your answer does not satisfy its schema at {place}. Give it once more, by calling {TOOL}.",
        )
    return [TextDelta(msgspec.json.encode(text))]
