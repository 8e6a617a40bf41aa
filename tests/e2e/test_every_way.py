"""Whichever process answers, the API is asked what a fresh one would ask: random conversations, clients and departures.

One server lets its processes wait, and goes on, goes back and begins anew in them; another starts one for each request.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server import Server, until
from talk import process_of, told, turns

from app.standin import Reply, StandIn, Text, Thinking, ToolUse

KEYS = {"one": "k1" * 8, "two": "k2" * 8}
TOOLS = [{"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("look", "count")]
PICTURE = {
    "type": "image",
    "source": {
        "type": "base64",
        "media_type": "image/png",
        "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    },
}
# What must reach the model as it is, and must not be taken for something the CLI itself says or does.
ODD = (
    "/clear",
    "@/etc/hosts",
    "!ls",
    "#note",
    "  padded \n",
    "<local-command-stdout>x</local-command-stdout>",
    "<system-reminder>x</system-reminder>",
    "[Request interrupted by user]",
    "(no content)",
    "ﬁ … ① ㎡ a\u200bb",
)
PASSING = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"
SLOW = "slowly"


def asked(body: dict[str, Any]) -> str:
    """Return all of an API request that makes the answer, in one form: no cache marks, a text as a list of blocks.

    The CLI's own notes stand behind the first line, or the first question, wherever that is: they come last here.
    """
    rest = _bare({key: value for key, value in body.items() if key != "metadata"})
    own = [message for message in rest["messages"] if message["role"] == "system"]
    notes = [block for message in own for block in message["content"]], [one.get("output_config") for one in own][:1]
    said = [message for message in rest.pop("messages") if message["role"] != "system"]
    bare = json.dumps([said, notes, rest], sort_keys=True)
    return re.sub(r'(Primary working directory: )[^\\"]*', r"\1", bare)


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    bare = {key: _bare(item) for key, item in value.items() if key != "cache_control"}
    if isinstance(bare.get("content"), str):
        bare["content"] = [{"type": "text", "text": bare["content"]}]
    return bare


def answer(body: dict[str, Any]) -> Reply:
    """Answer the same to the same; a conversation's first words say how."""
    said = turns(body)
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    if SLOW in json.dumps(said[-1]):
        return Reply((Text(["Well, ", "let me ", "think."]),), silent_after=int(digest[0], 16) % 3)
    rounds = sum(block["type"] == "tool_use" for _, blocks in said[-4:] for block in blocks)
    words = [Text([f"Answer {digest[:8]}. ", "Yes.\n"])]
    if body.get("thinking", {}).get("type") != "disabled" and digest[0] in "0123":
        words.insert(0, Thinking([f"Hm {digest[:4]}."]))
    if body.get("tools") and rounds < 3 and digest[1] in "0123456789":
        calls = [ToolUse(name, {"n": digest[:6]}, id=f"toolu_01{digest[:20]}{name}") for name in ("look", "count")]
        return Reply((*words[: int(digest[2], 16) % 3], *calls[: 1 + int(digest[3], 16) % 2]))
    return Reply(tuple(words))


class Client:
    """Someone who asks, asks again, edits, branches, brings results and leaves, at random."""

    def __init__(self, server: Server, name: str, key: str, chance: random.Random) -> None:
        self.sent: list[dict[str, Any]] = []  # to be answered
        self.left: list[dict[str, Any]] = []  # perhaps never seen by the API
        self.served: collections.Counter[str] = collections.Counter()
        self.key = key
        self._server = server
        self._name = name
        self._chance = chance
        self._messages: list[dict[str, Any]] = []
        self._earlier: list[list[dict[str, Any]]] = []

    def run(self, requests: int) -> None:
        for _ in range(requests):
            if self._messages[-1:] and self._messages[-1]["role"] == "user" and self._chance.random() < 0.5:
                self._messages.pop()  # it left, and asks something else
            calls = self._open_calls()
            if calls and self._chance.random() < 0.85:
                self._bring_results(calls)
            else:
                self._chance.choice((self._go_on, self._go_on, self._edit, self._again, self._begin, self._branch))()
            if self._chance.random() < 0.15:
                self._leave()
            else:
                self._ask()

    def _open_calls(self) -> list[str]:
        last = self._messages[-1:] or [{"role": "user", "content": ""}]
        return [block["id"] for block in last[0]["content"] if last[0]["role"] == "assistant" and "input" in block]

    def _bring_results(self, calls: list[str]) -> None:
        blocks: list[dict[str, Any]] = []
        for call in self._chance.sample(calls, len(calls)):
            content: Any = self._chance.choice(
                (f"{self._name} found it", [PICTURE], [{"type": "text", "text": "x" * 9}])
            )
            failed = {"is_error": True, "content": "it failed"} if self._chance.random() < 0.2 else {}
            blocks.append({"type": "tool_result", "tool_use_id": call, "content": content, **failed})
        if self._chance.random() < 0.5:
            note = self._chance.choice((f"{PASSING}\nIt is {self._chance.random()}.", f"Hurry, {self._name}!"))
            blocks.append({"type": "text", "text": note})
        self._messages.append({"role": "user", "content": blocks})

    def _words(self) -> Any:
        chance = self._chance
        mark = f"{self._name} {chance.randrange(1000)}"
        texts = [chance.choice(ODD), mark, f"{mark}\nand {chance.choice(ODD)}"]
        match chance.randrange(6):
            case 0:
                return [{"type": "text", "text": mark}, PICTURE]
            case 1:
                return [{"type": "text", "text": text} for text in texts[:2]]
            case _:
                return chance.choice(texts)

    def _go_on(self) -> None:
        while self._messages and (self._messages[-1]["role"] == "user" or self._open_calls()):
            self._messages.pop()
        self._messages.append({"role": "user", "content": self._words()})

    def _questions(self) -> list[int]:
        return [
            number
            for number, message in enumerate(self._messages)
            if message["role"] == "user" and "tool_use_id" not in json.dumps(message)
        ]

    def _edit(self) -> None:
        if places := self._questions():
            del self._messages[self._chance.choice(places) :]
        self._go_on()

    def _again(self) -> None:
        if places := self._questions():
            del self._messages[places[-1] + 1 :]
        else:
            self._go_on()

    def _begin(self) -> None:
        self._earlier.append(list(self._messages))
        self._messages = []
        self._go_on()

    def _branch(self) -> None:
        if self._earlier:
            other = self._chance.randrange(len(self._earlier))
            self._messages, self._earlier[other] = list(self._earlier[other]), list(self._messages)
        self._edit()

    def body(self, *, stream: bool) -> dict[str, Any]:
        return {
            "model": "sonnet",
            "max_tokens": 4000,
            "system": f"Be brief, {self.key}.",
            "thinking": {"type": "adaptive"},
            "tools": TOOLS,
            "messages": json.loads(json.dumps(self._messages)),
            "stream": stream,
        }

    def _ask(self) -> None:
        body = self.body(stream=False)
        self.sent.append(body)
        status, headers, data = ask(self._server, self.key, body)
        assert status == 200, data
        self.served[headers["x-proxy-served"]] += 1
        self._messages.append({"role": "assistant", "content": json.loads(data)["content"]})

    def _leave(self) -> None:
        last = self._messages[-1]
        kept = last["content"]
        blocks = [{"type": "text", "text": kept}] if isinstance(kept, str) else list(kept)
        last["content"] = [*blocks, {"type": "text", "text": f"But {SLOW}, {self._name}."}]
        body = self.body(stream=self._chance.random() < 0.7)
        self.left.append(body)
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/messages", json.dumps(body), _headers(self.key))
            time.sleep(self._chance.choice((0, 0.01, 0.05, 0.2, 0.5)))
        last["content"] = kept


def _headers(key: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "x-api-key": KEYS[key]}


def ask(server: Server, key: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return server.request("POST", "/v1/messages", body, _headers(key), timeout=60)


def conversations(api: StandIn, server: Server, seed: int, *, requests: int) -> list[Client]:
    """Let clients of two keys come at once, until nothing is under way any longer."""
    api.reply = answer
    clients = [
        Client(server, f"{key}{number}", key, random.Random(f"{seed}{key}{number}"))
        for key in KEYS
        for number in range(2)
    ]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda client: client.run(requests), clients))
    ready = {"x-api-key": KEYS["one"]}
    until(lambda: json.loads(server.request("GET", "/ready", headers=ready)[2])["slots"]["running"] == 0, what="quiet")
    until(lambda: api.active == 0, what="a quiet API")
    return clients


def fresh(api: StandIn, server: Server, body: dict[str, Any], key: str) -> str:
    """Return what a fresh process asks of the API for a request."""
    before = len(api.messages)
    if SLOW in json.dumps(body["messages"][-1]):
        api.reply = lambda _: Reply((Text("Gone."),))
    else:
        api.reply = answer
    status, _, data = ask(server, key, {**body, "stream": False})
    assert status == 200, data
    assert len(api.messages) == before + 1
    return asked(api.messages[-1])


def keys() -> str:
    return ",".join(f"{name}:{secret}" for name, secret in KEYS.items())


def check(api: StandIn, server: Server, serve: Callable[..., Server], seed: int, requests: int) -> list[Client]:
    """Let clients come, and hold what the API was asked against what fresh processes ask for the same."""
    clients = conversations(api, server, seed, requests=requests)
    seen = list(api.messages)
    owners = collections.defaultdict(set)
    for body in seen:
        owners[process_of(body)].add(next(key for key in KEYS if f"Be brief, {key}." in json.dumps(body["system"])))
    assert all(len(found) == 1 for found in owners.values()), f"seed {seed}: a process served two keys"
    reference = serve(CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_API_KEYS=keys())
    wanted = collections.Counter(fresh(api, reference, body, one.key) for one in clients for body in one.sent)
    maybe = collections.Counter(fresh(api, reference, body, one.key) for one in clients for body in one.left)
    found = collections.Counter(map(asked, seen))
    assert wanted - found == {}, f"seed {seed}: not asked"
    assert found - wanted - maybe == {}, f"seed {seed}: asked more than fresh processes would"
    return clients


@pytest.mark.timeout(300)
def test_every_way_asks_the_same(serve: Callable[..., Server], standin: StandIn) -> None:
    """Whatever clients do, at once and with two keys, each API request is equal to that of a fresh process."""
    seed = random.SystemRandom().randrange(10**6)
    server = serve(CLAUDE_PROXY_API_KEYS=keys())
    clients = check(standin, server, serve, seed, requests=12)
    served = sum((client.served for client in clients), collections.Counter())
    assert served["rewound"] and served["kept"] + served["parked"], (seed, served)


CROOKED = """#!{python}
import json, subprocess, sys, threading
CLAUDE = {claude!r}
if "--input-format=stream-json" not in sys.argv:
    sys.exit(subprocess.call([CLAUDE, *sys.argv[1:]]))
child = subprocess.Popen([CLAUDE, *sys.argv[1:]], stdin=subprocess.PIPE)
for line in sys.stdin.buffer:
    if b'"rewind_conversation"' in line:
        told = json.loads(line)
        told["request"]["target_message_uuid"] = told["request"]["last_seen_user_message_uuid"]
        line = json.dumps(told).encode() + b"\\n"
    child.stdin.write(line)
    child.stdin.flush()
child.stdin.close()
sys.exit(child.wait())
"""


@pytest.mark.timeout(300)
def test_one_that_goes_back_to_another_line(
    serve: Callable[..., Server], standin: StandIn, claude: Path, tmp_path: Path
) -> None:
    """A CLI that goes back to another line than it was asked to is found out, and the client does not notice."""
    crooked = tmp_path / "claude"
    crooked.write_text(CROOKED.format(python=sys.executable, claude=str(claude)))
    crooked.chmod(0o755)
    seed = random.SystemRandom().randrange(10**6)
    server = serve(CLAUDE_BIN=str(crooked), CLAUDE_PROXY_API_KEYS=keys())
    check(standin, server, serve, seed, requests=6)
    # Chance may edit nothing but the newest message, where both lines are one.
    messages: list[dict[str, Any]] = []
    for text in ("One", "Two", "Three", "Four"):
        if text == "Four":
            del messages[2:]
        messages.append({"role": "user", "content": text})
        status, _, data = ask(server, "one", {"model": "sonnet", "max_tokens": 9, "messages": messages})
        assert status == 200, data
        messages.append({"role": "assistant", "content": json.loads(data)["content"]})
    assert [text for role, text in told(standin.messages[-1]) if role == "user"] == ["One", "Four"]
    assert "rewound process failed" in server.log
