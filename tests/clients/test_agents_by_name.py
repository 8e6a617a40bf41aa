"""Agents at once: OpenClaw in its mapped mode, Continue, openai-python and Anthropic's SDK, each with its own."""

from __future__ import annotations

import concurrent.futures
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import openclaw_prompts
from server import Server
from talk import turns

from app.standin import Reply, StandIn, Text, ToolUse

HOME = Path(__file__).parent.parent / "mcp_home.py"
KEYS = {name: f"{name}-{'x' * 30}" for name in ("claw", "continue", "script", "house")}
CONFIG = f"""
spares = 0
api_keys = [{", ".join(f'"{name}:{secret}"' for name, secret in KEYS.items())}]
[agents.claw]
model = "opus"
workspace = "claw"
tools = ["Write", "Bash(openclaw:*)"]
openclaw = "map"
keys = ["claw"]
[agents.chat]
model = "haiku"
keys = ["continue"]
[agents.project]
model = "sonnet"
workspace = "project"
tools = ["Read", "Write"]
system = "You know this project."
keys = ["script"]
[agents.house]
model = "haiku"
tools = ["mcp:home"]
keys = ["house"]
[mcp.home]
command = "{sys.executable}"
args = ["{HOME}"]
env = {{ HOME_STATE = "ann" }}
"""
OFFERED = {
    "claw": {"Write", "Bash"},
    "chat": set(),
    "project": {"Read", "Write"},
    "house": {"mcp__home__switch", "mcp__home__surroundings", "mcp__home__die"},
}
CLAW = openclaw_prompts.prompt_2026_9()
EXEC = {"type": "function", "function": {"name": "exec", "parameters": {"type": "object", "properties": {}}}}


def who(body: dict[str, Any]) -> str:
    """Return the agent that a request of the API belongs to, by the words of its question."""
    (question,) = {
        block["text"] for _, blocks in turns(body)[:1] for block in blocks if "I am " in block.get("text", "")
    }
    return str(question.split("I am ")[1])


def reply(body: dict[str, Any]) -> Reply:
    """Have each agent use what it has, once, and then say who it is."""
    name = who(body)
    done = any(block["type"] == "tool_result" for _, blocks in turns(body) for block in blocks)
    if done or name == "chat":
        return Reply((Text([f"Yes, {name}."]),))
    if name == "house":
        return Reply((ToolUse("mcp__home__switch", {"lamp": "hall"}),))
    return Reply((ToolUse("Write", {"file_path": "made.txt", "content": name}),))


def test_agents_at_once(serve: Callable[..., Server], standin: StandIn, tmp_path: Path) -> None:
    """All ask at the same time; each has its model, its tools, its folder and its words, and nothing of another."""
    for name in ("claw", "project"):
        (tmp_path / name).mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    server = serve(CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"))
    standin.reply = reply
    begin = threading.Barrier(len(KEYS))

    def claw() -> str:
        messages = [{"role": "system", "content": CLAW}, {"role": "user", "content": "I am claw"}]
        body = {"model": "claw", "messages": messages, "tools": [EXEC]}
        begin.wait(30)
        headers = {"Authorization": f"Bearer {KEYS['claw']}"}
        _, _, data = server.request("POST", "/v1/chat/completions", body, headers, timeout=55)
        return str(json.loads(data)["choices"][0]["message"]["content"])

    def chat() -> str:
        body = {"model": "chat", "messages": [{"role": "user", "content": "I am chat"}], "stream": False}
        begin.wait(30)
        headers = {"Authorization": f"Bearer {KEYS['continue']}"}
        _, _, data = server.request("POST", "/v1/chat/completions", body, headers, timeout=55)
        return str(json.loads(data)["choices"][0]["message"]["content"])

    def project() -> str:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEYS["script"], max_retries=0) as client:
            begin.wait(30)
            messages: Any = [{"role": "user", "content": "I am project"}]
            made = client.chat.completions.create(model="project", messages=messages)
            return str(made.choices[0].message.content)

    def house() -> str:
        with anthropic.Anthropic(base_url=server.url, api_key=KEYS["house"], max_retries=0) as client:
            begin.wait(30)
            messages: Any = [{"role": "user", "content": "I am house"}]
            made = client.messages.create(model="house", max_tokens=99, messages=messages)
            return "".join(block.text for block in made.content if block.type == "text")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        told = [asked.result(55) for asked in [pool.submit(ask) for ask in (claw, chat, project, house)]]
    assert told == ["Yes, claw.", "Yes, chat.", "Yes, project.", "Yes, house."]
    for body in standin.messages:
        name, system = who(body), json.dumps(body["system"])
        assert {tool["name"] for tool in body.get("tools", [])} == OFFERED[name]
        assert ("You know this project." in system, "inside OpenClaw" in system) == (name == "project", name == "claw")
        results = json.dumps([block for _, blocks in turns(body) for block in blocks if block["type"] == "tool_result"])
        assert ("hall is on now" in results) <= (name == "house")
    for name in ("claw", "project"):
        assert {path.name: path.read_text() for path in (tmp_path / name).iterdir()} == {"made.txt": name}
