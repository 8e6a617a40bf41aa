"""What the API gets of a client's tools, on every route: exactly what the client offers, or names there and back."""
# ruff: noqa: RUF001 - signs that look like others are what this is about

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from schemas import SCHEMAS
from server import Server, events
from talk import turns

from app.standin import Reply, StandIn, Text, ToolUse

FULL_WIDTH = "ｆｕｌｌ　ｗｉｄｔｈ ㎡ ½ ﬁ a\u200bb\u00adc\ufeffd"
FAMILY = "👨‍👩‍👧‍👦 🏳️‍🌈"
TOOLS = {
    "long": ("x" * 9_696, {"type": "object", "properties": {"a": {"type": "string", "description": "y" * 5_000}}}),
    "compatible": (
        f"{FULL_WIDTH} {FAMILY}",
        {
            "type": "object",
            "properties": {
                "unit": {"enum": ["㎡", "ｍ", "m2", FAMILY], "default": "㎡", "description": FULL_WIDTH},
                "kind": {"const": "ｋ\u200d"},
                "nested": {"type": "object", "properties": {"größe[0]": {"type": "number"}, "ｎ": True}},
            },
            "required": ["unit"],
        },
    ),
    "chinese": (
        "查询城市的天气",
        {"type": "object", "properties": {"city": {"type": "string", "description": "城市，例如“北京”"}}},
    ),
    "japanese": ("ﾊﾝｶｸ と カタカナ", {"type": "object", "properties": {"q": {"enum": ["ｶﾞ", "ガ", "か゛"]}}}),
    "anything": ("", {"type": "object", "properties": {"a": True, "b": {}}, "x-note": {"ｘ": 1}}),
    "draft": (
        "zod's",
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"a": {"prefixItems": [{"type": "integer"}], "type": "array"}},
            "propertyOrdering": ["a"],
        },
    ),
    "mcp__client__x": ("As if it had the prefix", {"type": "object", "properties": {}}),
    "x": ("Beside it", {"type": "object", "properties": {}}),
    "Bash": ("As if it were the CLI's own", {"type": "object", "properties": {"command": {"type": "string"}}}),
    "n" * 128: ("The longest name", {"type": "object", "properties": {}}),
}
ODD = {
    "type": "object",
    "properties": {
        "filter[id]": {"type": "string", "title": "Filter"},
        "$top": {"type": "integer", "description": "How many"},
        "größe": {"type": "string"},
        "first name": {"type": "string"},
        "first_name": {"type": "string"},
        "城市": {"type": "string"},
        "👍": True,
        "l" * 65: {"type": "string"},
        "plain": {"type": "string"},
    },
    "required": ["größe", "plain", "城市"],
    "dependentRequired": {"$top": ["filter[id]"]},
    "additionalProperties": False,
}
INPUT = {
    "größe": 'a "quoted" \\ \u00e9 ㎡',
    "plain": "größe",
    "filter[id]": "}{][,:",
    "城市": "北京",
    "$top": 3,
    "first name": "A",
    "first_name": "B",
    "👍": {"größe": [{"größe": 1}]},
    "l" * 65: "",
}
ROUTES = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


def offered(route: str, tools: dict[str, tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return tools as a route's clients offer them."""
    if route == "/v1/messages":
        return [{"name": name, "description": told, "input_schema": schema} for name, (told, schema) in tools.items()]
    functions = [{"name": name, "description": told, "parameters": schema} for name, (told, schema) in tools.items()]
    if route == "/v1/responses":
        return [{"type": "function", "strict": False, **function} for function in functions]
    return [{"type": "function", "function": function} for function in functions]


def asked(server: Server, route: str, tools: dict[str, tuple[str, dict[str, Any]]], **fields: Any) -> Any:
    """Ask a question with tools; return the answer's JSON, or a stream's events."""
    said = {"input": "Hi"} if route == "/v1/responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    body = {"model": "sonnet", "max_tokens": 9_000, "tools": offered(route, tools), **said, **fields}
    if route == "/v1/responses":
        del body["max_tokens"]
    status, headers, data = server.request("POST", route, body)
    assert status == 200, data
    return events(data) if headers["content-type"].startswith("text/event-stream") else json.loads(data)


def calls(route: str, answer: Any) -> list[tuple[str, str]]:
    """Return names and arguments of an answer's calls, whole or streamed."""
    if route == "/v1/chat/completions":
        if isinstance(answer, list):
            told = [c["choices"][0]["delta"].get("tool_calls") or [] for c in answer[:-1] if c.get("choices")]
            functions = [call["function"] for part in told for call in part]
            name = "".join(function.get("name") or "" for function in functions)
            return [(name, "".join(function.get("arguments") or "" for function in functions))]
        return [
            (c["function"]["name"], c["function"]["arguments"]) for c in answer["choices"][0]["message"]["tool_calls"]
        ]
    if route == "/v1/responses":
        if isinstance(answer, list):
            answer = next(event["response"] for event in answer if event["type"] == "response.completed")
        return [(item["name"], item["arguments"]) for item in answer["output"] if item["type"] == "function_call"]
    if isinstance(answer, list):
        names = [e["content_block"]["name"] for e in answer if e.get("content_block", {}).get("type") == "tool_use"]
        deltas = [e["delta"]["partial_json"] for e in answer if e.get("delta", {}).get("type") == "input_json_delta"]
        return [(names[0], "".join(deltas))]
    return [(b["name"], json.dumps(b["input"])) for b in answer["content"] if b["type"] == "tool_use"]


@pytest.mark.parametrize("route", ROUTES)
def test_tools_reach_the_api_as_they_are(server: Server, standin: StandIn, route: str) -> None:
    """Whatever the length of a description and the script of its words, the API gets it unchanged and in order."""
    asked(server, route, TOOLS)
    (body,) = standin.messages
    told = [(tool["name"], tool.get("description", ""), tool["input_schema"]) for tool in body["tools"]]
    assert told == [(name, description, schema) for name, (description, schema) in TOOLS.items()]
    assert {key for tool in body["tools"] for key in tool} == {"name", "description", "input_schema"}


@pytest.mark.parametrize("route", ROUTES)
def test_every_library_schema(server: Server, standin: StandIn, route: str) -> None:
    """What the libraries write as the input of a tool reaches the API as it is, but for names that it refuses."""
    tools = {name.replace(" ", "_"): ("Go", schema) for name, (schema, _, _) in SCHEMAS.items()}
    asked(server, route, tools)
    (body,) = standin.messages
    told = {tool["name"]: tool["input_schema"] for tool in body["tools"]}
    assert list(told) == list(tools)
    same = [name for name in tools if name not in ("gemini", "openai_strict", "msgspec")]
    assert {name: told[name] for name in same} == {name: tools[name][1] for name in same}
    assert list(told["gemini"]["properties"])[:2] == ["city", "size"]
    assert told["gemini"]["required"] == list(told["gemini"]["properties"])[::2]
    for name in ("gemini", "openai_strict", "msgspec"):
        rest = {word: value for word, value in tools[name][1].items() if word not in ("properties", "required")}
        assert rest.items() <= {"$ref": rest.get("$ref"), **told[name]}.items()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("parts", [1, 400])
def test_names_of_properties_there_and_back(
    server: Server, standin: StandIn, route: str, stream: bool, parts: int
) -> None:
    """Names that the API refuses are others there; the client, however the pieces are cut, meets its own alone."""

    def reply(body: dict[str, Any]) -> Reply:
        schema = body["tools"][0]["input_schema"]
        titles = {part.get("title") or name: name for name, part in schema["properties"].items()}
        names = {**titles, "filter[id]": next(name for name in schema["properties"] if "filter" in name)}
        return Reply((ToolUse("find", {names.get(key, key): value for key, value in INPUT.items()}, parts=parts),))

    standin.reply = reply
    answer = asked(server, route, {"find": ("Find", ODD)}, stream=stream)
    ((name, arguments),) = calls(route, answer)
    assert (name, json.loads(arguments)) == ("find", INPUT)
    schema = standin.messages[0]["tools"][0]["input_schema"]
    renamed = dict(zip(ODD["properties"], schema["properties"], strict=True))
    assert renamed["plain"] == "plain" and renamed["first_name"] == "first_name"
    assert schema["required"] == [renamed[name] for name in ODD["required"]]
    assert schema["dependentRequired"] == {renamed["$top"]: [renamed["filter[id]"]]}
    assert schema["properties"][renamed["größe"]] == {"type": "string", "title": "größe"}
    assert schema["properties"][renamed["👍"]] == {"title": "👍"}
    assert schema["properties"][renamed["filter[id]"]]["title"] == "Filter"


def test_names_of_properties_in_the_history(server: Server, standin: StandIn) -> None:
    """A call of the history has its properties as the model knows them."""
    call = {"id": "toolu_1", "type": "tool_use", "name": "find", "input": {"größe": "ß", "plain": "größe", "ö": 1}}
    messages = [
        {"role": "user", "content": "Find"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}]},
    ]
    asked(server, "/v1/messages", {"find": ("Find", ODD)}, messages=messages)
    body = standin.messages[-1]
    (told,) = [block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_use"]
    titles = {part.get("title"): name for name, part in body["tools"][0]["input_schema"]["properties"].items()}
    assert told["input"] == {titles["größe"]: "ß", "plain": "größe", "ö": 1}


@pytest.mark.parametrize(
    "name", ["mcp__client__x", "x", "ToolSearch", "StructuredOutput", "ExitPlanMode", "Bash", "n" * 128]
)
@pytest.mark.parametrize("route", ROUTES)
def test_names_of_tools_there_and_back(server: Server, standin: StandIn, route: str, name: str) -> None:
    """A tool may have any name, also one that means something to the CLI; a call of it comes at once."""
    tools = {name: ("The one", {"type": "object", "properties": {}}), "y": TOOLS["x"]}
    standin.reply = lambda body: Reply((ToolUse(body["tools"][0]["name"], {"plan": "p", "command": "c"}),))
    answer = asked(server, route, tools)
    assert [called for called, _ in calls(route, answer)] == [name]
    assert len(standin.messages) == 1
    choices = {
        "/v1/chat/completions": {"type": "function", "function": {"name": name}},
        "/v1/responses": {"type": "function", "name": name},
        "/v1/messages": {"type": "tool", "name": name},
    }
    answer = asked(server, route, tools, tool_choice=choices[route])
    assert [called for called, _ in calls(route, answer)] == [name]
    assert len(standin.messages[-1]["tools"]) == 1


@pytest.mark.parametrize("name", ["mcp__client__x", "ToolSearch", "ExitPlanMode", "StructuredOutput"])
def test_calls_of_such_tools_in_the_history(
    server: Server, keeping_server: Server, standin: StandIn, name: str
) -> None:
    """Whether a process waits for the result or is told all anew, the call is there as the model made it."""
    call = {"plan": "step by step", "planFilePath": "/p", "query": "ｑ"}

    def reply(body: dict[str, Any]) -> Reply:
        if any(block["type"] == "tool_result" for _, blocks in turns(body) for block in blocks):
            return Reply((Text(["Done."]),))
        return Reply((ToolUse(body["tools"][0]["name"], call),))

    standin.reply = reply
    for one, served in ((keeping_server, "parked"), (server, "spare")):
        one.wait_for_spare()
        messages: list[Any] = [{"role": "user", "content": "Go"}]
        tools = offered("/v1/messages", {name: ("The one", {"type": "object", "properties": {}})})
        body = {"model": "sonnet", "max_tokens": 9_000, "tools": tools, "messages": messages}
        answer = json.loads(one.request("POST", "/v1/messages", body)[2])
        result = {"type": "tool_result", "tool_use_id": answer["content"][-1]["id"], "content": "fine"}
        messages += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]}]
        one.wait_for_spare()
        _, headers, data = one.request("POST", "/v1/messages", body)
        assert (headers["x-proxy-served"], json.loads(data)["content"][0]["text"]) == (served, "Done.")
        told = turns(standin.messages[-1])
        uses = [block for _, blocks in told for block in blocks if block["type"] == "tool_use"]
        assert [(use["name"], use["input"]) for use in uses] == [(standin.messages[-1]["tools"][0]["name"], call)]


@pytest.mark.parametrize("route", ROUTES)
def test_alternatives_at_the_top(server: Server, standin: StandIn, route: str) -> None:
    """The API takes no alternatives at the top of an input: it gets all their properties, and the rest in words."""
    schema = {
        "oneOf": [
            {"properties": {"kind": {"const": "circle"}, "größe": {"type": "number"}}, "required": ["kind", "größe"]},
            {"$ref": "#/$defs/square"},
        ],
        "$defs": {"square": {"properties": {"kind": {"const": "square"}, "side": True}, "required": ["kind"]}},
    }
    asked(server, route, {"draw": ("Draw", schema)})
    (tool,) = standin.messages[0]["tools"]
    assert tool["input_schema"]["properties"] == {
        "kind": {"anyOf": [{"const": "circle"}, {"const": "square"}]},
        "gro_e": {"title": "größe", "type": "number"},
        "side": True,
    }
    assert tool["input_schema"]["required"] == ["kind"]
    assert tool["description"].startswith("Draw\n\n") and '{"const": "circle"}' in tool["description"]


def test_pictures_and_documents_in_results(keeping_server: Server, standin: StandIn) -> None:
    """What a tool shows reaches the API byte for byte, however large, also where a process waits for the result."""
    picture = base64.b64encode(_png(2560, 1440)).decode()
    shown = [
        {"type": "text", "text": "See"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQKJSVFT0YK"},
        },
    ]

    def reply(body: dict[str, Any]) -> Reply:
        if any(block["type"] == "tool_result" for _, blocks in turns(body) for block in blocks):
            return Reply((Text(["Done."]),))
        return Reply((ToolUse("look", {}),))

    standin.reply = reply
    messages: list[Any] = [{"role": "user", "content": "Go"}]
    fields = {"messages": messages, "max_tokens": 9_000}
    answer = asked(keeping_server, "/v1/messages", {"look": TOOLS["x"]}, **fields)
    result = {"type": "tool_result", "tool_use_id": answer["content"][-1]["id"], "content": shown}
    messages += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]}]
    assert asked(keeping_server, "/v1/messages", {"look": TOOLS["x"]}, **fields)["content"][0]["text"] == "Done."
    (told,) = [b for _, blocks in turns(standin.messages[-1]) for b in blocks if b["type"] == "tool_result"]
    assert told["content"] == shown


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes(height * (width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
