"""What is tried: each attack sends some requests and says how they ended."""

from __future__ import annotations

import base64
import collections
import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from server import Server

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATIENCE = 60.0
# A little less than the largest body.
ROOM = 31 * 2**20
Outcome = collections.Counter[str]
Attack = Callable[[Server], Outcome]
ATTACKS: dict[str, Attack] = {}
PNG = b"\x89PNG\r\n\x1a\n"
HI = {"role": "user", "content": "Hi"}


def post(server: Server, path: str, body: bytes, headers: dict[str, str] | None = None) -> str:
    """Return how a request ended: its status, or what happened to its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        # A server may answer, and close, before it has read all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def attack(
    name: str, times: int = 1, path: str = CHAT
) -> Callable[[Callable[[], bytes | dict[str, Any]]], Callable[[], Any]]:
    """Note a function that makes a body; it is sent `times` at once."""

    def note(make: Callable[[], bytes | dict[str, Any]]) -> Callable[[], Any]:
        def run(server: Server) -> Outcome:
            made = make()
            body = made if isinstance(made, bytes) else json.dumps(made).encode()
            with ThreadPoolExecutor(times) as pool:
                return Outcome(pool.map(lambda _: post(server, path, body), range(times)))

        assert name not in ATTACKS
        ATTACKS[name] = run
        return make

    return note


def sequence(name: str) -> Callable[[Callable[[Server], Iterable[str]]], Any]:
    """Note a function that attacks by itself and yields how each request ended."""

    def note(run: Callable[[Server], Iterable[str]]) -> Any:
        ATTACKS[name] = lambda server: Outcome(run(server))
        return run

    return note


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "sonnet", "messages": messages or [HI], **fields}


def function(schema: Any, name: str = "look") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def form(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def filled(before: bytes, piece: bytes, after: bytes, between: bytes = b"") -> bytes:
    """Return a body that is as full of a piece as it can be."""
    return before + between.join([piece] * ((ROOM - 1000) // len(piece + between))) + after


def in_text(piece: bytes) -> bytes:
    """Return a chat whose one text is full of a piece."""
    return filled(b'{"model":"sonnet","messages":[{"role":"user","content":"Hi ', piece, b'"}]}')


def properties(number: int, schema: Any = None) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{i}": schema or {"type": "string"} for i in range(number)}}


def doubled(times: int) -> dict[str, Any]:
    steps = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(times)}
    return {"type": "object", "$defs": {**steps, f"d{times}": {"type": "object"}}, "$ref": "#/$defs/d0"}


@sequence("nothing, for five seconds")
def _(server: Server) -> Iterable[str]:
    time.sleep(5)
    return ()


# Schemas.


@attack("one tool of 250,000 properties", 2)
def _() -> Any:
    return chat(tools=[function(properties(250_000))])


@attack("128 tools of 2,000 properties", 2)
def _() -> Any:
    return chat(tools=[function(properties(2000), f"t{i}") for i in range(128)])


@attack("265 tools of 500 properties", 2, MESSAGES)
def _() -> Any:
    tools = [{"name": f"t{i}", "input_schema": properties(500)} for i in range(265)]
    return {"model": "sonnet", "max_tokens": 9, "messages": [HI], "tools": tools}


@attack("response_format with a pattern of 8 MB", 2)
def _() -> Any:
    return chat(response_format=form({"properties": {"a": {"pattern": "a" * 8_000_000}}}))


@attack("response_format with 20,000 patterns", 2)
def _() -> Any:
    return chat(response_format=form({"properties": {f"p{i}": {"pattern": f"^a{i}(b+)+$"} for i in range(20_000)}}))


@attack("response_format with 9,000 patterns of much work", 3)
def _() -> Any:
    pattern = r"^(\w{1,30}\W{1,30}){1,9}$"
    return chat(response_format=form({"properties": {f"p{i}": {"pattern": f"{pattern}|{i}"} for i in range(9000)}}))


@attack("an answer that a pattern tries for ever", 2)
def _() -> Any:
    text = 'structured {"a": "' + "a" * 34 + '!"}'
    schema = {"properties": {"a": {"not": {"pattern": "^(a+)+$"}}, "b": {"pattern": r"^(?=(a+)+$)\1$"}}}
    return chat({"role": "user", "content": text}, response_format=form(schema))


@attack("an answer of 50,000 items, all to be different", 2)
def _() -> Any:
    text = "structured " + json.dumps({"a": [{"n": [i]} for i in range(50_000)]})
    schema = {"properties": {"a": {"uniqueItems": True, "contains": {"contains": {"const": -1}}}}}
    return chat({"role": "user", "content": text}, response_format=form(schema))


for _times in (17, 30):

    @attack(f"references that double {_times} times, response_format", 2)
    def _(times: int = _times) -> Any:
        return chat({"role": "user", "content": "structured {}"}, response_format=form(doubled(times)))

    @attack(f"references that double {_times} times, 100 tools", 2)
    def _(times: int = _times) -> Any:
        return chat(tools=[function(doubled(times), f"t{i}") for i in range(100)])


@attack("a schema of 5,000 references in a chain", 2)
def _() -> Any:
    steps = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5000)}
    return chat(tools=[function({"type": "object", "$defs": steps})])


@attack("a schema 190 levels deep", 2)
def _() -> Any:
    schema: dict[str, Any] = {}
    for _ in range(95):
        schema = {"properties": {"a": schema}}
    return chat(tools=[function(schema)], response_format=form(schema))


@attack("tool_choice of a million allowed tools")
def _() -> Any:
    allowed = [{"type": "function", "function": {"name": "t1"}}] * 400_000
    tools = [function({}, f"t{i}") for i in range(128)]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": allowed}}
    return chat(tools=tools, tool_choice=choice)


# Bodies.


@attack("a million messages", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[', b'{"role":"user","content":"x"}', b"]}", b",")


@attack("a million blocks", 2, MESSAGES)
def _() -> bytes:
    head = b'{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":['
    return filled(head, b'{"type":"text","text":"x"}', b"]}]}", b",")


@attack("a million items", 2, RESPONSES)
def _() -> bytes:
    return filled(b'{"model":"sonnet","input":[', b'{"role":"user","content":"x"}', b"]}", b",")


@attack("100,000 references to items of responses", 2, RESPONSES)
def _() -> Any:
    return {"model": "sonnet", "input": [{"type": "item_reference", "id": f"msg_{'0' * 24}_0"}] * 100_000}


@attack("metadata of ten million lists", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[{"role":"user","content":"Hi"}],"metadata":[', b"[]", b"]}", b",")


@attack("metadata of five million numbers", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[{"role":"user","content":"Hi"}],"metadata":[', b"1.5e9", b"]}", b",")


@attack("a system prompt of ten million newlines", 2)
def _() -> bytes:
    lines = b"\\n" * 10_000_000
    head = b'{"model":"sonnet","messages":[{"role":"system","content":"%b"},' % lines
    return head + b'{"role":"user","content":"Hi"}]}'


@attack("a system prompt of OpenClaw's words, a million times", 2)
def _() -> Any:
    text = "## Tooling\n```\n## Skills\n~~~~\n<available_skills>\n# Project Context\n<!-- openclaw:attempt:STABLE -->\n"
    return chat({"role": "system", "content": text * 250_000}, HI)


@attack("a system prompt of one fence and 30 MB of backquotes", 2)
def _() -> Any:
    return chat({"role": "system", "content": "## Tooling\n## Skills\n" + ("   ```" + "`" * 60 + "\n") * 400_000}, HI)


@attack("a text of 30 MB", 3)
def _() -> bytes:
    return in_text(b"x")


@attack("30 MB of escaped newlines", 2)
def _() -> bytes:
    return in_text(rb"\n")


@attack("30 MB of escaped characters", 2)
def _() -> bytes:
    return in_text(rb"\u4e2d")


@attack("30 MB of halves of characters", 2)
def _() -> bytes:
    return in_text(rb"\ud83d")


@attack("one half of a character in 30 MB", 2)
def _() -> bytes:
    return in_text(b"x")[:-5] + rb'\udc00"}]}'


@attack("30 MB of backslashes", 2)
def _() -> bytes:
    return in_text(rb"\\")


@attack("a number of 30 million digits", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[],"seed":1', b"1", b"}")


@attack("a fraction of 30 million digits", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[],"seed":0.', b"1", b"}")


@attack("a million times the same key", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[],', b'"a":1', b"}", b",")


@attack("a million fields", 2)
def _() -> bytes:
    names = b",".join(b'"f%d":1' % number for number in range(1_000_000))
    return b'{"model":"sonnet","messages":[{"role":"user","content":"Hi"}],%b}' % names


@attack("a field's name of 30 MB", 2)
def _() -> bytes:
    return filled(b'{"model":"sonnet","messages":[{"role":"user","content":"Hi"}],"', b"!", b'":1}')


@attack("a million brackets deep", 2)
def _() -> bytes:
    return b'{"model":"sonnet","messages":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"


@attack("30 MB that are no JSON", 2)
def _() -> bytes:
    return filled(b"{", b'"', b"")


@attack("a document of 30 MB", 2, MESSAGES)
def _() -> Any:
    data = base64.b64encode(b"%PDF" + bytes(23_000_000)).decode()
    block = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
    content = [block, {"type": "text", "text": "Hi"}]
    return {"model": "sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}


@attack("a document of base64 with blanks between", 2, MESSAGES)
def _() -> Any:
    block = {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "Q " * 15_000_000}}
    return {"model": "sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}


@attack("an id of 30 MB", 2)
def _() -> Any:
    name = "a-" * 15_000_000
    call = {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return chat(HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "b", "content": "x"})


@attack("one id for 9,000 calls", 2)
def _() -> Any:
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    rounds = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ]
    return chat(HI, *(rounds * 9000))


@attack("one message of 20,000 calls, results apart", 2, MESSAGES)
def _() -> Any:
    calls = [{"type": "tool_use", "id": f"t{i}", "name": "look", "input": {}} for i in range(20_000)]
    results = [{"type": "tool_result", "tool_use_id": f"t{i}", "content": "x"} for i in range(20_000)]
    messages = [HI, {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    return {"model": "sonnet", "max_tokens": 9, "messages": messages}


@attack("a call's arguments of ten million lists", 2)
def _() -> Any:
    arguments = '{"a":[' + ",".join(["[]"] * 9_000_000) + "]}"
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": arguments}}
    return chat(HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": "x"})


@attack("16 stops of 1.5 MB", 2)
def _() -> Any:
    return chat({"role": "user", "content": "as " + "x"}, stop=["a" * 1_500_000 + str(i) for i in range(16)])


@attack("16 stops, and an answer that nearly holds them", 2)
def _() -> Any:
    return chat({"role": "user", "content": "as x"}, stop=["a" * 499 + str(i % 10) for i in range(16)])


@attack("a model's name of 30 MB", 2)
def _() -> Any:
    return {"model": "claude-" * 4_000_000, "messages": [HI]}


@attack("a prompt_cache_key of 30 MB", 2)
def _() -> Any:
    return chat(prompt_cache_key="a" * 30_000_000)


# What is served, and large.


@attack("20,000 messages", 2)
def _() -> Any:
    return chat(*([HI, {"role": "assistant", "content": "Hello"}] * 9_999), HI)


@attack("400 turns with 30 MB of pictures", 3)
def _() -> Any:
    data = base64.b64encode(PNG + bytes(240_000)).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    seen = {"role": "user", "content": [picture, {"type": "text", "text": "And this?"}]}
    said = {"role": "assistant", "content": "A picture."}
    return chat(*([seen, said] * 90), *([HI, said] * 110), HI)


@attack("eight answers to 30 MB")
def _() -> Any:
    return chat({"role": "user", "content": "x" * 30_000_000}, n=8)


@sequence("a session of 30 MB, five turns")
def _(server: Server) -> Iterable[str]:
    for text in ("x" * 30_000_000, *["Hi"] * 4):
        body = json.dumps(chat({"role": "user", "content": text})).encode()
        yield post(server, CHAT, body, {"X-Session-Id": "large"})


@sequence("responses that go on from one of 30 MB")
def _(server: Server) -> Iterable[str]:
    before = None
    for text in ("x" * 30_000_000, *["Hi"] * 4):
        body = {"model": "sonnet", "input": text, **({} if before is None else {"previous_response_id": before})}
        status, _, data = server.request("POST", RESPONSES, body, timeout=PATIENCE)
        before = json.loads(data).get("id")
        yield str(status)


# The CLI.


for _command in ("blank", "unknown-lines", "small-lines", "long-line", "bulk-lines"):

    @attack(f"a CLI that floods: {_command}", 2)
    def _(command: str = _command) -> Any:
        return chat({"role": "user", "content": f"{command} x"}, stream=True)


# Connections, and what costs without a body.


@sequence("16 bodies of 30 MB at once")
def _(server: Server) -> Iterable[str]:
    body = in_text(b"x")
    with ThreadPoolExecutor(16) as pool:
        yield from pool.map(lambda _: post(server, CHAT, body), range(16))


def _raw(server: Server, *parts: bytes) -> str:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for part in parts:
                    connection.sendall(part)
            return connection.recv(4096).decode("latin-1").split(" ", 2)[1]
    except (OSError, IndexError) as error:
        return type(error).__name__


@sequence("a body in 3 million chunks of one byte")
def _(server: Server) -> Iterable[str]:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"1\r\n \r\n" * 100_000
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda _: _raw(server, head, *[chunks] * 30, b"0\r\n\r\n"), range(2))


@sequence("heads as large as they may be, 200 times")
def _(server: Server) -> Iterable[str]:
    names = b"".join(b"x-%d: %b\r\n" % (number, b"a" * 8000) for number in range(90))
    with ThreadPoolExecutor(4) as pool:
        head = b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + names + b"\r\n"
        yield from pool.map(lambda _: _raw(server, head), range(200))


@sequence("200 bodies that stop in their midst")
def _(server: Server) -> Iterable[str]:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            connection.sendall(head + b"x" * 100_000)
        time.sleep(2)
        yield from ["held"] * 200


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
for _name, _sent in (
    ("2,000 connections with half a head", HEAD),
    ("2,000 connections with a head and no body", HEAD + b"Content-Length: 9\r\n\r\n"),
    ("2,000 connections with half a body", HEAD + b"Content-Length: 9\r\n\r\n{"),
):

    @sequence(_name)
    def _(server: Server, sent: bytes = _sent) -> Iterable[str]:
        with contextlib.ExitStack() as stack:
            for _ in range(2000):
                try:
                    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
                    stack.enter_context(connection)
                    connection.sendall(sent)
                except OSError as error:
                    yield type(error).__name__
                else:
                    yield "held"
            time.sleep(2)


@sequence("each page 60 times, by 6 at once")
def _(server: Server) -> Iterable[str]:
    def get(path: str) -> str:
        return str(server.request("GET", path, timeout=PATIENCE)[0])

    paths = ["/", "/openapi.json", "/docs", "/docs/clients", "/metrics", "/ready", "/v1/models", "/v1/sessions"]
    with ThreadPoolExecutor(6) as pool:
        yield from pool.map(get, paths * 60)
