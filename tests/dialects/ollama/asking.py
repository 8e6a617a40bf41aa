"""A chat that uses all there is, and what is read of it."""

from __future__ import annotations

import json

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def call(name, **given):
    return {"function": {"name": name, "arguments": given}}


CHAT = {
    "model": "claude-sonnet-4:latest",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi", "images": [PNG]},
        {"role": "assistant", "content": "So.", "thinking": "Hm.", "tool_calls": [call("look", at=1), call("hear")]},
        {"role": "tool", "tool_name": "hear", "content": "heard"},
        {"role": "tool", "tool_name": "look", "content": "seen", "images": [PNG]},
        {"role": "system", "content": "Be brief."},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}],
    "format": {"type": "object"},
    "options": {"num_predict": 9, "stop": ["END"], "temperature": 0.5},
    "think": "high",
    "stream": False,
    "keep_alive": "5m",
}


def read(parse, body):
    return parse(json.dumps(body).encode(), str)
