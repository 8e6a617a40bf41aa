"""What clients do: each kind asks, and raises AssertionError unless it gets what is its own, whole."""

from __future__ import annotations

import copy
import json
import random
import re
import secrets
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal, NamedTuple

from server import Server, events, read_until, text_of

from app.openclaw import PASSING
from tests.bench.served import WEATHER, Client

from .answers import Asked, result

PATIENCE = 180.0
NO_REQUESTS = (b"", b"{", b"[]", b'{"model": "sonnet", "messages": []}', b'{"messages": 7}', b"[" * 20_000)


def one(kind: str) -> Callable[[Server], int]:
    """Return a client that asks once, in either mode."""

    def ask(server: Server) -> int:
        asked, client = Asked(mark(server), kind, 1), Client(server)
        client.ask(asked.text, stream=random.random() < 0.5)
        assert client.messages[-1]["content"] == asked.expected(1), _shown(asked, client.messages[-1]["content"])
        return 1

    return ask


def conversation(server: Server) -> int:
    """Ask five times, with the whole history."""
    whose, client = mark(server), Client(server)
    for number in range(5):
        asked = Asked(whose, "talk", number)
        client.ask(asked.text, stream=number % 2 == 0)
        assert client.messages[-1]["content"] == asked.expected(2 * number + 1), client.messages[-1]
    return 5


def edits(server: Server) -> int:
    """Ask three times; then edit the last question, an earlier one and the first, and ask for each answer again."""
    whose, client = mark(server), Client(server)
    for number, earlier in enumerate((0, 2, 4, 4, 2, 0)):
        asked = Asked(whose, "talk", number)
        del client.messages[earlier:]
        client.ask(asked.text, stream=number % 2 == 0)
        assert client.messages[-1]["content"] == asked.expected(earlier + 1), client.messages[-1]
        if number > 2:
            client.messages.pop()
            client.ask()
            assert client.messages[-1]["content"] == asked.expected(earlier + 1), client.messages[-1]
    return 9


def notes(server: Server) -> int:
    """Have three rounds of tools, each request with a note at its end that the next one takes back."""
    asked = Asked(mark(server), "tools", 3)
    client = Client(server, tools=[WEATHER])
    found = {"role": "user", "content": asked.text}
    for number in range(4):
        note = {"role": "user", "content": f"{PASSING}\nround {number}"}
        client.ask(found, note)
        client.messages.remove(note)
        if number < 3:
            (call,) = client.messages[-1]["tool_calls"]
            found = {"role": "tool", "tool_call_id": call["id"], "content": result(asked.mark, number)}
    expected = "".join(f"{result(asked.mark, number)}; " for number in range(3))
    assert client.messages[-1]["content"] == expected, client.messages[-1]
    return 4


def tools(server: Server) -> int:
    """Have three rounds of tools."""
    asked = Asked(mark(server), "tools", 3)
    client = Client(server, tools=[WEATHER])
    client.ask(asked.text)
    for number in range(3):
        (call,) = client.messages[-1]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"mark": asked.mark, "round": number}
        client.ask({"role": "tool", "tool_call_id": call["id"], "content": result(asked.mark, number)})
    expected = "".join(f"{result(asked.mark, number)}; " for number in range(3))
    assert client.messages[-1]["content"] == expected, client.messages[-1]
    return 4


def session(server: Server) -> int:
    """Ask four times, each time only what is new; the server has the rest."""
    whose = mark(server)
    for number in range(4):
        asked = Asked(whose, "session", number)
        stream = number % 2 == 0
        status, _, body = server.chat(asked.text, stream=stream, timeout=PATIENCE, session_id=whose)
        assert status == 200, body
        text = text_of(body) if stream else body["choices"][0]["message"]["content"]
        assert text == asked.expected(2 * number + 1), text
    assert server.request("DELETE", f"/v1/sessions/{whose}", timeout=PATIENCE)[0] == 200
    return 4


def leave(server: Server) -> int:
    """Leave in the middle of a stream."""
    asked = Asked(mark(server), "paced", 1)
    with server.open_stream(asked.text) as connection:
        connection.settimeout(PATIENCE)
        text = text_of(events(_lines(read_until(connection, f"{asked.mark}/3".encode()))))
        assert asked.expected(1).startswith(text), _shown(asked, text)
    return 1


def leave_early(server: Server) -> int:
    """Leave before there is an answer, in the queue or at the beginning of the turn."""
    with server.open_stream(Asked(mark(server), "short", 1).text, stream=random.random() < 0.5):
        time.sleep(random.uniform(0.0, 0.3))
    return 1


def two_answers(server: Server) -> int:
    """Ask for two answers at a time."""
    asked = Asked(mark(server), "short", 1)
    stream = random.random() < 0.5
    status, _, body = server.chat(asked.text, stream=stream, timeout=PATIENCE, n=2)
    assert status == 200, body
    if stream:
        assert body[-1] == "[DONE]", body[-1]
        texts = [text_of([chunk for chunk in body[:-1] if chunk["choices"][0]["index"] == place]) for place in (0, 1)]
    else:
        texts = [choice["message"]["content"] for choice in body["choices"]]
    assert texts == [asked.expected(1)] * 2, texts
    return 1


def bounded(server: Server) -> int:
    """Ask for few tokens, as for a title."""
    asked = Asked(mark(server), "bounded", 1)
    status, _, body = server.chat(asked.text, timeout=PATIENCE, max_tokens=20)
    assert (status, body["choices"][0]["finish_reason"]) == (200, "length"), body
    return 1


def broken(server: Server) -> int:
    """Have an answer that breaks off, and take what comes of it."""
    asked = Asked(mark(server), "broken", 1)
    status, _, body = server.chat(asked.text, timeout=PATIENCE)
    assert status in {HTTPStatus.OK, HTTPStatus.BAD_GATEWAY}, body
    return 1


def slow(server: Server) -> int:
    """Read a big answer slowly."""
    asked = Asked(mark(server), "slow", 1)
    parts = []
    with server.open_stream(asked.text) as connection:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**13)
        while data := connection.recv(2**14):
            parts.append(data)
            time.sleep(0.03)
    chunks = events(_lines(b"".join(parts)))
    assert chunks[-1] == "[DONE]", chunks[-1]
    assert text_of(chunks) == asked.expected(1), _shown(asked, text_of(chunks))
    return 1


def bad_body(server: Server) -> int:
    """Send what is no request."""
    status, _, data = server.request("POST", "/v1/chat/completions", random.choice(NO_REQUESTS), timeout=PATIENCE)
    assert 400 <= status < 500, (status, data)
    return 1


def refused(kind: str, status: int, words: str) -> Callable[[Server], int]:
    """Return a client that asks for what the API refuses."""

    def ask(server: Server) -> int:
        asked = Asked(mark(server), kind, 1)
        got, _, body = server.chat(asked.text, stream=random.random() < 0.5, timeout=PATIENCE)
        if isinstance(body, list):
            # A stream that waited for its turn had begun.
            assert got == HTTPStatus.OK and text_of(body[:-1]) == "", (got, body)
            body = body[-1]
        else:
            assert got == status, (got, body)
        assert words.format(mark=asked.mark) in body["error"]["message"], body
        return 1

    return ask


class Kind(NamedTuple):
    """How often it comes in proportion, what it does, which gives the number of its turns, and what it leaves behind.

    The ledger has `all` of it, `tokens` without every price, a `part` where not all that is sent is read, or `nothing`.
    """

    weight: int
    visit: Callable[[Server], int]
    ledger: Literal["all", "tokens", "part", "nothing"] = "all"


KINDS = {
    "short": Kind(6, one("short")),
    "long": Kind(3, one("long")),
    "conversation of 5 turns": Kind(3, conversation),
    "edits and repeats": Kind(3, edits),
    "tools, 3 rounds": Kind(3, tools),
    "tools with passing notes": Kind(2, notes),
    "session of 4 turns": Kind(2, session),
    "two answers": Kind(2, two_answers),
    "bounded answer": Kind(2, bounded, "tokens"),
    "broken answer": Kind(1, broken, "part"),
    "slow reader": Kind(1, slow),
    "leaves in mid-stream": Kind(3, leave, "part"),
    "leaves in the queue": Kind(3, leave_early, "part"),
    "no request": Kind(3, bad_body, "nothing"),
    "plan limit": Kind(1, refused("limit", 429, "usage limit")),
    "API overloaded": Kind(1, refused("overloaded", 503, "")),
    "API refuses": Kind(1, refused("refused", 400, "{mark} asks for too much")),
}


def agent(kind: str) -> str:
    """Return what clients of a kind call themselves, which is how the ledger tells them apart."""
    return re.sub(r"[^a-z0-9]+", "-", kind.lower())


def visit(kind: str, server: Server) -> int:
    """Be a client of this kind once; return the number of its requests."""
    named = copy.copy(server)
    named.agent = agent(kind)
    return KINDS[kind].visit(named)


def mark(server: Server) -> str:
    """Return a new name for an asker, which tells the API what kind of client it is."""
    number = [agent(kind) for kind in KINDS].index(server.agent)
    return f"mark{number:02x}{secrets.token_hex(5)}"


def _shown(asked: Asked, text: str | None) -> str:
    """Return beginning and end of an answer that is not what was asked for."""
    text = text or ""
    return f"{asked.text} {len(text)} characters: {text[:100]} ... {text[-60:]}"


def _lines(answer: bytes) -> bytes:
    """Return a body without its head and its chunk sizes, as far as it has come."""
    _, _, rest = answer.partition(b"\r\n\r\n")
    parts = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length or len(rest) < length:
            break
        parts.append(rest[:length])
        rest = rest[length + 2 :]
    return b"".join(parts)
