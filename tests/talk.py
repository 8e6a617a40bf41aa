"""A client with a conversation, and what the API saw of it."""

from __future__ import annotations

import json
from typing import Any

from server import Server


class Talk:
    """A client that hands the whole history back each time, as OpenAI's clients do."""

    def __init__(self, server: Server, **fields: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        self.server = server
        self._fields = {"model": "sonnet", **fields}

    def send(self, *messages: dict[str, Any]) -> str:
        """Add messages, take the answer into the history and return how it was served."""
        self.messages += messages
        body = {**self._fields, "messages": self.messages}
        status, headers, data = self.server.request("POST", "/v1/chat/completions", body)
        assert status == 200, data
        self.messages.append(json.loads(data)["choices"][0]["message"])
        return headers["x-proxy-served"]

    def ask(self, text: str) -> str:
        """Ask a question; return how it was served."""
        return self.send({"role": "user", "content": text})

    def results(self, text: str = "seen") -> list[dict[str, Any]]:
        """Return a result for each call of the last answer."""
        calls = self.messages[-1]["tool_calls"]
        return [{"role": "tool", "tool_call_id": call["id"], "content": f"{text} {call['id']}"} for call in calls]


def process_of(body: dict[str, Any]) -> str:
    """Return which process sent a request to the API, by the session that it calls its own."""
    return str(json.loads(body["metadata"]["user_id"])["session_id"])


def turns(body: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the turns of an API request in one form: no system notes, no cache marks, a text as a list of blocks."""
    found = []
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] != "system":
            bare = [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]
            found.append((message["role"], bare))
    return found


def told(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the texts of an API request, turn by turn, without thinking and tools."""
    return [(role, "".join(block.get("text", "") for block in blocks)) for role, blocks in turns(body)]
