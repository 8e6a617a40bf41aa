"""Names that the API, the CLI or a client does not take as they are, there and back: of tools, properties and calls.

A tool's name gets an underscore where the CLI would treat the tool as its own. A property of a tool's input gets
another name where the API refuses its own (`filter[id]`, `größe`); its title then says what the client calls it.

Some clients hand the ids of calls back with nothing but letters and digits, and no more than 40 of them. So clients get
plain ids, and the API gets its own back: what it cached of an earlier request stays valid.
"""

from __future__ import annotations

import json
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from app import conversation
from app.claude.cli.schemas import flat
from app.conversation import Block, ToolDefinition, ToolResultBlock, ToolUseBlock
from app.event_loop import pause

# What the API takes as the name of a property at the top of a tool's input.
PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
MAX_PROPERTY_LENGTH = 64
# What the CLI does by a tool's name alone: StructuredOutput is its own tool for the answer's form; from calls of
# ExitPlanMode, TaskOutput (2.1.120) and Edit (beside `edits`) it takes parts of the input away; ToolSearch it leaves
# out where its own tools are on.
SPECIAL = re.compile(r"(StructuredOutput|ExitPlanMode|TaskOutput|ToolSearch)(_*)")
# Where a schema says something about the same object once more.
SAME_OBJECT = ("not", "if", "then", "else")
BY_PROPERTY = ("properties", "dependentRequired", "dependentSchemas", "dependencies")

MAX_ID_LENGTH = 40

Names = dict[str, str]  # the client's -> the API's


def plain_id(call_id: str) -> str:
    """Return a call's id as clients get it, and as ids are compared."""
    return conversation.plain(call_id)[:MAX_ID_LENGTH]


def native_id(call_id: str) -> str:
    """Return a call's id with the underscore that every id of the API's own has behind its `toolu`."""
    return re.sub(r"^toolu(?=[0-9])", "toolu_", call_id)


def with_ids(content: Iterable[Block], change: Callable[[str], str]) -> list[Block]:
    """Return blocks with the ids of their calls and results changed."""
    changed: list[Block] = []
    for block in content:
        if isinstance(block, ToolUseBlock):
            changed.append(msgspec.structs.replace(block, id=change(block.id)))
        elif isinstance(block, ToolResultBlock):
            changed.append(msgspec.structs.replace(block, tool_use_id=change(block.tool_use_id)))
        else:
            changed.append(block)
    return changed


def given(name: str) -> str:
    """Return a tool's name as the API gets it."""
    return f"{name}_" if SPECIAL.fullmatch(name) else name


def properties(schema: Mapping[str, Any]) -> Names:
    """Return the names of the properties at the top of a schema that the API refuses, and what it gets instead.

    What stands in `anyOf` and its like is not looked at: see `schemas.flat`.
    """
    own = schema.get("properties") or {}
    refused = [name for name in own if not PROPERTY.fullmatch(name)]
    taken = set(own)
    names: Names = {}
    for number, name in enumerate(refused, start=1):
        names[name] = _free(_latin(name) or f"property_{number}", taken)
        taken.add(names[name])
    return names


def shown(schema: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the schema of a tool's input as the API gets it, and in words what could not be said in it."""
    told, note = flat(schema)
    return renamed(told, properties(told)), note


def renamed(schema: dict[str, Any], names: Names) -> dict[str, Any]:
    """Return a schema whose object has its properties under the API's names."""
    if not names:
        return schema
    told = _renamed(schema, names)
    for name, new in names.items():
        found = told["properties"][new]
        if isinstance(found, dict):
            told["properties"][new] = {"title": name, **found}
        elif found is True:
            told["properties"][new] = {"title": name}
    repointed: dict[str, Any] = _repointed(told, names)
    return repointed


class ToolNames:
    """The names of one conversation's tools, and of their properties."""

    def __init__(self, tools: Sequence[ToolDefinition]) -> None:
        self._tools = {given(tool.name): tool.name for tool in tools}
        self._properties: dict[str, Names] = {}
        for tool in tools:
            pause()
            if names := properties(flat(tool.input_schema)[0]):
                self._properties[tool.name] = names

    def client(self, name: str) -> str | None:
        """Return a tool as the client calls it, None where it is none of the client's."""
        return self._tools.get(name)

    def renaming(self, name: str) -> Renaming | None:
        """Return what gives a call's arguments back as the client knows them, None where they are the same."""
        names = self._properties.get(name)
        return Renaming({new: old for old, new in names.items()}) if names else None

    def native(self, content: tuple[Block, ...]) -> tuple[Block, ...]:
        """Return blocks of the history as the API gets them."""
        return tuple(self._native(block) if isinstance(block, ToolUseBlock) else block for block in content)

    def _native(self, call: ToolUseBlock) -> ToolUseBlock:
        names = self._properties.get(call.name, {})
        told = {names.get(name, name): value for name, value in call.input.items()} if names else call.input
        return msgspec.structs.replace(call, name=given(call.name), input=told)


class Renaming:
    """Gives the keys at the top of a JSON object other names, while it comes in pieces cut anywhere.

    Everything but those keys comes out as it went in.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._depth = 0
        self._in_string = self._escaped = False
        self._at_key = False  # at the top, before a key or within it
        self._key: list[str] = []

    def feed(self, piece: str) -> str:
        """Return what a piece gives; a key is held back until it is whole."""
        told: list[str] = []
        for char in piece:
            if self._in_string:
                self._within(char, told)
                continue
            if char == '"':
                self._in_string = True
                if self._at_key and self._depth == 1:
                    self._key.append(char)
                    continue
            elif char in "{[":
                self._depth += 1
                self._at_key = char == "{"
            elif char in "}]":
                self._depth -= 1
            elif char == ",":
                self._at_key = True
            elif char == ":":
                self._at_key = False
            told.append(char)
        return "".join(told)

    def _within(self, char: str, told: list[str]) -> None:
        ends = char == '"' and not self._escaped
        self._escaped = char == "\\" and not self._escaped
        self._in_string = not ends
        if not self._key:
            told.append(char)
            return
        self._key.append(char)
        if ends:
            told.append(self._renamed("".join(self._key)))
            self._key.clear()

    def _renamed(self, key: str) -> str:
        try:
            name = self._names.get(json.loads(key))
        except ValueError:
            return key
        return key if name is None else json.dumps(name, ensure_ascii=False)


def _latin(name: str) -> str:
    """Return a name in the letters that the API takes, empty where nothing of it is left."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    told = re.sub(r"[^a-zA-Z0-9_.-]+", "_", bare).strip("_")[: MAX_PROPERTY_LENGTH - 4]
    return told if re.search("[a-zA-Z0-9]", told) else ""


def _free(name: str, taken: set[str]) -> str:
    number = 1
    told = name
    while told in taken:
        number += 1
        told = f"{name}_{number}"
    return told


def _renamed(schema: Any, names: Names) -> Any:
    if not isinstance(schema, dict):
        return schema
    told = dict(schema)
    for word in BY_PROPERTY:
        if isinstance(schema.get(word), dict):
            told[word] = {names.get(name, name): value for name, value in schema[word].items()}
            if word != "properties":
                told[word] = {name: _renamed(_listed(value, names), names) for name, value in told[word].items()}
    if "required" in schema:
        told["required"] = _listed(schema["required"], names)
    for word in SAME_OBJECT:
        if word in schema:
            told[word] = _renamed(schema[word], names)
    return told


def _listed(value: Any, names: Names) -> Any:
    return [names.get(name, name) for name in value] if isinstance(value, list) else value


def _repointed(node: Any, names: Names) -> Any:
    """Return a schema whose references lead to the properties under their new names."""
    if isinstance(node, list):
        return [_repointed(part, names) for part in node]
    if not isinstance(node, dict):
        return node
    told = {key: _repointed(value, names) for key, value in node.items()}
    if isinstance(node.get("$ref"), str) and node["$ref"].startswith("#/properties/"):
        first, *rest = node["$ref"].removeprefix("#/properties/").split("/")
        name = urllib.parse.unquote(first).replace("~1", "/").replace("~0", "~")
        told["$ref"] = "/".join(("#/properties", names.get(name, first), *rest))
    return told
