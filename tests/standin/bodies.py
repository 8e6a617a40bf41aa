"""Requests and their parts, short to write: what the tables of the validation tests are made of."""

from __future__ import annotations

import base64

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + b"\0" * 20).decode()
GIF = base64.b64encode(b"GIF89a" + b"\0" * 20).decode()
WEBP = base64.b64encode(b"RIFF\0\0\0\0WEBPVP8 ").decode()
PDF = base64.b64encode(b"%PDF-1.7\n").decode()
CACHE = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
EFFORT_BETA = ["oauth-2025-04-20", "per-turn-control-2026-07-01"]
USER = {"role": "user", "content": "Hi"}


def text(value, **more):
    return {"type": "text", "text": value, **more}


def image(data=PNG, media_type="image/png"):
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def document(**source):
    return {"type": "document", "source": source}


def use(call="toolu_1", name="weather", value=None):
    return {"type": "tool_use", "id": call, "name": name, "input": {} if value is None else value}


def result(call="toolu_1", **more):
    return {"type": "tool_result", "tool_use_id": call, "content": "sunny", **more}


def thought(signature="c2ln"):
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def tool(name="weather", **more):
    return {"name": name, "input_schema": {"type": "object", "properties": {}}, **more}


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def request(*messages, **fields):
    return {"model": "claude-opus-5", "max_tokens": 4000, "messages": list(messages) or [USER], **fields}


def without(key):
    return {name: value for name, value in request().items() if name != key}


def schema(**value):
    return request(tools=[tool(input_schema=value)])
