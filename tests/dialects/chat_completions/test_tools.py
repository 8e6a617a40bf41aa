"""Functions a client offers, and the choice among them."""

from __future__ import annotations

import pytest

from app.conversation import ToolChoice, ToolDefinition
from app.standin import tool as standin_tool

from .asking import ask, refused, tool

EMPTY = {"type": "object", "properties": {}}
SCHEMA = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/place"}, "tag": {"type": "string", "pattern": r"^\p{L}+$"}},
    "$defs": {"place": {"type": "string", "enum": ["sky", "sea"]}},
    "required": ["at"],
}
AB = [tool("a"), tool("b")]


def tools_of(found):
    return [offer.name for offer in found.conversation.tools]


def choice_of(found):
    return found.conversation.options.tool_choice


def test_definition():
    """A function keeps its name, its description and its schema, references included; `strict` is no error."""
    found = ask(tools=[tool("look", SCHEMA, description="Looks.", strict=True)])
    assert found.conversation.tools == (ToolDefinition("look", "Looks.", SCHEMA),)
    assert found.ignored == ()


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, EMPTY),
        ({}, {"type": "object"}),
        ({"foo": "bar"}, {"type": "object", "foo": "bar"}),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", **EMPTY},
            {"$schema": "http://json-schema.org/draft-07/schema#", **EMPTY},
        ),
    ],
)
def test_parameters(parameters, schema):
    """A schema that says too little is completed, such that the API takes it."""
    [found] = ask(tools=[tool(parameters=parameters)]).conversation.tools
    assert found == ToolDefinition("look", "", schema)
    assert standin_tool.check([{"name": found.name, "input_schema": found.input_schema}]) == ["look"]


def test_most_tools():
    """128 tools in, 128 out, in their order; one more is refused."""
    names = [f"tool_{number}" for number in range(128)]
    assert tools_of(ask(tools=[tool(name) for name in names])) == names
    assert refused(tools=[tool(name) for name in [*names, "more"]]).param == "tools"


def test_longest_name():
    """A name may have 128 characters."""
    assert tools_of(ask(tools=[tool("a-_Z" * 32)])) == ["a-_Z" * 32]


def test_schemas_are_not_shared():
    """What a check remembers of a schema is not the schema of another request."""
    first, second = (ask(tools=[tool(parameters=SCHEMA)]).conversation.tools[0].input_schema for _ in range(2))
    assert first == second
    assert first is not second


def nested(depth):
    schema = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "not": schema}
    return schema


def test_deep_schema():
    """A schema of forty levels is fine; one that exhausts the checker is a 400."""
    assert tools_of(ask(tools=[tool(parameters=nested(40))])) == ["look"]
    assert refused(tools=[tool(parameters=nested(190))]).param == "tools[0].function.parameters"


REFUSED = {
    "tools that are text": ("look", "tools"),
    "a tool that is text": (["look"], "tools[0]"),
    "a tool of no type": ([{"name": "a"}], "tools[0].type"),
    "a type of a list": ([{"type": ["function"]}], "tools[0].type"),
    "a tool without a function": ([{"type": "function"}], "tools[0].function"),
    "an own schema that is none": ([{"name": "a", "input_schema": 7}], "tools[0].input_schema"),
    "no name": ([tool(None)], "tools[0].function.name"),
    "an empty name": ([tool("")], "tools[0].function.name"),
    "a long name": ([tool("a" * 129)], "tools[0].function.name"),
    "a dotted name": ([tool("a.b")], "tools[0].function.name"),
    "a line end": ([tool("a\n")], "tools[0].function.name"),
    "a name twice": ([*AB, tool("a")], "tools[2].function.name"),
    "a description of 7": ([tool(description=7)], "tools[0].function.description"),
    "parameters of text": ([tool(parameters="x")], "tools[0].function.parameters"),
    "an array": ([tool("a"), tool(parameters={"type": "array"})], "tools[1].function.parameters.type"),
    "an object or null": ([tool(parameters={"type": ["object", "null"]})], "tools[0].function.parameters.type"),
    "an unknown type": ([tool(parameters={"properties": {"a": {"type": "text"}}})], "tools[0].function.parameters"),
    "properties in a list": ([tool(parameters={"properties": []})], "tools[0].function.parameters"),
}


@pytest.mark.parametrize(("tools", "param"), REFUSED.values(), ids=REFUSED)
def test_refused(tools, param):
    """A tool that cannot be offered is a 400 that names it."""
    assert refused(tools=tools).param == param


def test_place_in_schema():
    """Whoever wrote the schema learns where it is wrong."""
    wrong = {"properties": {"a": {"type": "text"}}}
    assert "$.properties.a.type" in refused(tools=[tool(parameters=wrong)]).message


@pytest.mark.parametrize("name", ["StructuredOutput", "ToolSearch", "mcp__client__a"])
def test_names_of_the_cli(name):
    """No name is taken, whatever the CLI calls its own tools, and also where the answer has a form."""
    assert tools_of(ask(tools=[tool(name)], response_format={"type": "json_object"})) == [name]


def function(name):
    return {"type": "function", "function": {"name": name}}


def allowed(mode, *names):
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function(name) for name in names]}}


@pytest.mark.parametrize(
    ("given", "names", "choice"),
    [
        (None, ["a", "b"], ToolChoice()),
        ("auto", ["a", "b"], ToolChoice()),
        ("none", [], ToolChoice(forbidden=True)),
        ("required", ["a", "b"], ToolChoice(required=True)),
        (function("b"), ["a", "b"], ToolChoice(name="b")),
        (allowed("auto", "b"), ["b"], ToolChoice()),
        (allowed("required", "b", "a"), ["a", "b"], ToolChoice(required=True)),
        (allowed("auto"), [], ToolChoice()),
    ],
)
def test_choice(given, names, choice):
    """A choice leaves the tools it speaks of, and tells whether one must be called."""
    found = ask(tools=AB, tool_choice=given)
    assert (tools_of(found), choice_of(found)) == (names, choice)
    assert found.ignored == ()


@pytest.mark.parametrize("given", [None, "auto", "none"])
def test_choice_of_nothing(given):
    """Without tools, a choice that asks for none of them is fine, and an empty list of tools is no tools."""
    assert tools_of(ask(tool_choice=given, tools=[])) == tools_of(ask(tool_choice=given)) == []


CHOICES = {
    "a word": ("any", "tool_choice"),
    "a number": (7, "tool_choice"),
    "a list": (["auto"], "tool_choice"),
    "no type": ({"function": {"name": "a"}}, "tool_choice.type"),
    "a custom tool": ({"type": "custom", "custom": {"name": "a"}}, "tool_choice.type"),
    "no function": ({"type": "function"}, "tool_choice.function"),
    "no name": ({"type": "function", "function": {}}, "tool_choice.function.name"),
    "another function": (function("c"), "tool_choice.function.name"),
    "no list": ({"type": "allowed_tools"}, "tool_choice.allowed_tools"),
    "no mode": ({"type": "allowed_tools", "allowed_tools": {"tools": []}}, "tool_choice.allowed_tools.mode"),
    "allowed, but not there": (allowed("auto", "a", "c"), "tool_choice.allowed_tools.tools[1].function.name"),
    "one of none": (allowed("required"), "tool_choice.allowed_tools.mode"),
}


@pytest.mark.parametrize(("given", "param"), CHOICES.values(), ids=CHOICES)
def test_choice_refused(given, param):
    """A choice that cannot be met is a 400 that names the place."""
    assert refused(tools=AB, tool_choice=given).param == param


@pytest.mark.parametrize(
    ("given", "param"), [("required", "tool_choice"), (function("a"), "tool_choice.function.name")]
)
def test_forced_without_tools(given, param):
    """A call cannot be forced where nothing can be called."""
    assert refused(tool_choice=given).param == param


def test_parallel():
    """Calls come side by side unless the client says otherwise."""
    assert ask(tools=AB).conversation.options.parallel_tools
    assert ask(tools=AB, parallel_tool_calls=None).conversation.options.parallel_tools
    assert not ask(tools=AB, parallel_tool_calls=False).conversation.options.parallel_tools


OLD = [{"name": "a", "description": "A.", "parameters": EMPTY}, {"name": "b"}]


@pytest.mark.parametrize(
    ("given", "names", "choice"),
    [
        (None, ["a", "b"], ToolChoice()),
        ("none", [], ToolChoice(forbidden=True)),
        ("auto", ["a", "b"], ToolChoice()),
        ({"name": "b"}, ["a", "b"], ToolChoice(name="b")),
    ],
)
def test_old_functions(given, names, choice):
    """Old functions are tools, called one at a time, with the old words for the choice."""
    found = ask(functions=OLD, function_call=given)
    assert (tools_of(found), choice_of(found), found.ignored) == (names, choice, ())
    assert not found.conversation.options.parallel_tools


def test_old_functions_refused():
    """Errors in the old form name the fields of the old form."""
    assert refused(functions=[{"name": "a b"}]).param == "functions[0].name"
    assert refused(functions=[{"name": "a"}, {"name": "a"}]).param == "functions[1].name"
    assert refused(functions=["a"]).param == "functions[0]"
    assert refused(functions=OLD, function_call={"name": "c"}).param == "function_call.name"
    assert refused(function_call={"name": "c"}).param == "function_call.name"


def test_both_choices():
    """The new word for the choice rules over the old one, which is then named as ignored."""
    found = ask(functions=OLD, tool_choice="required", function_call={"name": "b"})
    assert (choice_of(found), found.ignored) == (ToolChoice(required=True), ("function_call",))


def test_both_forms():
    """Tools rule over functions, which are then named as ignored, and so is their choice."""
    found = ask(tools=AB, functions=[{"name": "c"}], function_call={"name": "c"})
    assert (tools_of(found), choice_of(found)) == (["a", "b"], ToolChoice())
    assert found.ignored == ("functions", "function_call")
