"""What real clients send at their largest passes the limits, and all of it reaches the API; with the real CLI."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib

import pytest
from talk import turns

MARKER = "You are a personal assistant running inside OpenClaw."
PATIENCE = 100.0
PIXELS = 350
PICTURES = 40

pytestmark = pytest.mark.timeout(240)


def post(server, path, body):
    status, _, data = server.request("POST", path, {"model": "sonnet", **body}, timeout=PATIENCE)
    assert status == 200, data
    return json.loads(data)


def schema(number):
    """Return what the tools of MCP servers look like: some properties, each with its words."""
    properties = {f"property_{i}": {"type": "string", "description": f"Which {i}. " * 8} for i in range(number)}
    return {"type": "object", "properties": properties, "required": ["property_0"]}


def picture(seed):
    """Return a PNG of noise, 370 kB, in base64."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * PIXELS) for _ in range(PIXELS))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", PIXELS, PIXELS, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


def test_openclaw(server, standin):
    """A system prompt of 60 kB with 12 tools."""
    system = MARKER + "\n## Workspace\n" + "A rule of this house is to be kept in mind. " * 1400
    tools = [{"type": "function", "function": {"name": f"tool_{i}", "parameters": schema(10)}} for i in range(12)]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Hi"}]
    post(server, "/v1/chat/completions", {"messages": messages, "tools": tools})
    (told,) = standin.messages
    assert len(told["tools"]) == 12
    assert system[len(MARKER) :].strip() in json.dumps(told["system"], ensure_ascii=False).replace("\\n", "\n")


def test_tools(server, standin):
    """265 tools of ten properties each, as many MCP servers together offer."""
    tools = [{"name": f"mcp_{i}", "description": "Does it. " * 40, "input_schema": schema(10)} for i in range(265)]
    post(server, "/v1/messages", {"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}], "tools": tools})
    assert len(standin.messages[-1]["tools"]) == 265


def test_pictures(server, standin):
    """A history of 400 turns with pictures of 20 MB."""
    history = []
    for number in range(200):
        content = [{"type": "text", "text": f"Question {number}"}]
        if number < PICTURES:
            url = f"data:image/png;base64,{picture(number)}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        history += [{"role": "user", "content": content}, {"role": "assistant", "content": f"Answer {number}"}]
    post(server, "/v1/chat/completions", {"messages": [*history, {"role": "user", "content": "And now?"}]})
    told = turns(standin.messages[-1])
    assert len(told) == 401
    kinds = [block["type"] for _, blocks in told for block in blocks]
    assert kinds.count("image") == PICTURES


def test_messages(server, standin):
    """A conversation of 5,000 messages."""
    history = [
        {"role": role, "content": f"{role} {number}"} for number in range(2500) for role in ("user", "assistant")
    ]
    post(server, "/v1/chat/completions", {"messages": [*history, {"role": "user", "content": "And now?"}]})
    assert len(turns(standin.messages[-1])) == 5001
