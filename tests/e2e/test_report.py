"""Captures through the real CLI: what is kept of a request, and that a report of it has no word of the conversation."""

from __future__ import annotations

import base64
import functools
import json
import secrets
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hermetic
import pytest
from click.testing import CliRunner, Result
from conftest import FAKE_CLAUDE
from server import CONFIG, GUNICORN, Server, until

from app.captures.captures import FOLDER
from app.console import main
from app.keys.file import KeyFile
from app.standin import Reply, StandIn, Text, Thinking, ToolUse

Asked = Callable[..., tuple[int, str]]
ROUTES = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat")


def word() -> str:
    return f"w{secrets.token_hex(6)}"


def picture() -> str:
    """Return a PNG of one random point, in base64."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    head = chunk(b"IHDR", bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]))
    point = chunk(b"IDAT", zlib.compress(b"\0" + secrets.token_bytes(3)))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + point + chunk(b"IEND", b"")).decode()


class Words:
    """Random words, one for each place in which a conversation may have some."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def __call__(self) -> str:
        self.all.append(word())
        return self.all[-1]

    def picture(self) -> str:
        self.all.append(picture())
        return self.all[-1]


def schema(say: Words) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {say(): {"type": "string", "description": say(), "enum": [say()]}},
        "description": say(),
    }


def chat(say: Words) -> dict[str, Any]:
    call = {
        "id": say(),
        "type": "function",
        "function": {"name": say(), "arguments": json.dumps({say(): {"type": say()}})},
    }
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{say.picture()}"}}
    return {
        "messages": [
            {"role": "system", "content": say()},
            {"role": "user", "name": say(), "content": [{"type": "text", "text": f"{say()} {say()}"}, image]},
            {"role": "assistant", "content": say(), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": say()},
            {"role": "user", "content": say()},
        ],
        "tools": [
            {"type": "function", "function": {"name": say(), "description": say(), "parameters": schema(say)}},
        ],
        "stop": [say()],
        "metadata": {say(): say(), "type": say()},
        "user": say(),
        say(): {"type": say(), "text": say(), say(): [say()]},
    }


def messages(say: Words) -> dict[str, Any]:
    call = {"type": "tool_use", "id": say(), "name": say(), "input": {say(): say(), "type": say()}}
    source = {"type": "base64", "media_type": "image/png", "data": say.picture()}
    result = [{"type": "text", "text": say()}, {"type": "image", "source": source}]
    return {
        "max_tokens": 500,
        "system": [{"type": "text", "text": say(), "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": say()},
            {"role": "assistant", "content": [{"type": "text", "text": say()}, call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": result}]},
        ],
        "tools": [{"name": say(), "description": say(), "input_schema": schema(say)}],
        "stop_sequences": [say()],
    }


def responses(say: Words) -> dict[str, Any]:
    return {
        "instructions": say(),
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": say()}]},
            {"type": "function_call", "call_id": "c1", "name": say(), "arguments": json.dumps({say(): say()})},
            {"type": "function_call_output", "call_id": "c1", "output": say()},
            {"role": "user", "content": say()},
        ],
        "tools": [{"type": "function", "name": say(), "description": say(), "parameters": schema(say)}],
        "metadata": {say(): say()},
        "store": False,
    }


def ollama(say: Words) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": say()},
            {"role": "user", "content": say(), "images": [say.picture()]},
        ],
        "tools": [
            {"type": "function", "function": {"name": say(), "description": say(), "parameters": schema(say)}},
        ],
        "options": {"stop": [say()]},
    }


BODIES = dict(zip(ROUTES, (chat, messages, responses, ollama), strict=True))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A state folder with a key, and the key."""
    state = tmp_path_factory.mktemp("state")
    return state, KeyFile(state).add("laptop")


@pytest.fixture(scope="module")
def recorder(session_serve: Callable[..., Server], key: tuple[Path, str]) -> Any:
    server = session_serve(
        CLAUDE_PROXY_RECORD="4", CLAUDE_PROXY_STATE_DIR=str(key[0]), CLAUDE_PROXY_ADMIN_KEYS="laptop"
    )
    yield server
    server.kill()


def ask(server: Server, key: str, path: str, body: dict[str, Any], **headers: str) -> tuple[int, str]:
    """Return status and id of a request, whose capture has been written."""
    sent = {"Authorization": f"Bearer {key}", **headers}
    status, told, data = server.request("POST", path, {"model": "sonnet", **body}, sent)
    assert told["x-proxy-captured"] == "1", data
    name = told["x-request-id"]
    until(lambda: list((server.state / FOLDER).glob(f"*-{name}.jsonl")), what="the capture")
    return status, name


def report(server: Server, *args: str) -> Result:
    """Run the command as the server's user would."""
    env = hermetic.environment(server.state.parent, CLAUDE_PROXY_STATE_DIR=str(server.state))
    return CliRunner().invoke(main, ["report", *args], env=env)


def packed(server: Server, folder: Path, *args: str) -> dict[str, str]:
    """Return the files of a report."""
    done = report(server, *args, "-o", str(folder / "report.zip"))
    assert done.exit_code == 0, done.output
    assert (folder / "report.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(folder / "report.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture
def asked(recorder: Server, key: tuple[Path, str]) -> Asked:
    """Give a function that asks the recording server with its key."""
    return functools.partial(ask, recorder, key[1])


@pytest.mark.parametrize("path", ROUTES)
def test_no_word_of_the_conversation(
    recorder: Server,
    asked: Callable[..., tuple[int, str]],
    standin: StandIn,
    tmp_path: Path,
    path: str,
    *,
    stream: bool,
) -> None:
    """Without --with-contents no text is in a report, whatever place it had; with it they all are; never a key."""
    say = Words()
    body = BODIES[path](say)
    answered, thought, value, field = say(), say(), say(), say()
    tool = body["tools"][0]
    called = tool.get("function", tool)["name"]

    def reply(_: dict[str, Any]) -> Reply:
        return Reply((Thinking([thought]), Text([answered]), ToolUse(called, {field: value})))

    standin.reply = reply
    agent = {"User-Agent": "probe/1.0", "x-session-affinity": say(), "Cookie": f"a={say()}"}
    status, name = asked(path, {**body, "stream": stream}, **agent)
    assert status == 200
    short = packed(recorder, tmp_path, name)
    everything = "\n".join(short.values())
    assert [text for text in (*say.all, "sk-cmap", "sk-ant") if text in everything] == []
    request = json.loads(short["request.json"])
    assert (request["summary"]["id"], request["summary"]["route"]) == (name, path)
    assert dict(request["headers"])["user-agent"] == "probe/1.0"
    lines = [json.loads(line) for line in short["lines.jsonl"].splitlines()]
    kinds = {line["incoming"].get("type") for line in lines if "incoming" in line}
    assert {"control_response", "stream_event", "assistant"} <= kinds
    assert short["sent.jsonl"]
    whole = packed(recorder, tmp_path, name, "--with-contents")
    said = [text for text in say.all if text not in (agent["x-session-affinity"], agent["Cookie"][2:])]
    assert [text for text in said if text not in whole["body.json"] + whole["sent.jsonl"] + whole["lines.jsonl"]] == []
    on_disk = "".join(path.read_text() for path in (recorder.state / FOLDER).iterdir())
    assert "sk-cmap" not in "".join(whole.values()) + on_disk


def test_the_last_of_two_workers(serve: Callable[..., Server]) -> None:
    """Two workers keep the last requests together, a failed one like any other, over a restart; the stop loses none."""
    fake = {"CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_SPARES": "0", "CLAUDE_PROXY_RECORD": "3"}
    server = serve((*GUNICORN, *CONFIG, "--workers", "2", "wsgi:app"), **fake)
    ids = [server.chat(text)[1]["x-request-id"] for text in ("answer", "crash", "answer", "answer", "crash")]
    assert server.stop() == 0
    assert [name for name in ids if name in report(server).output] == ids[2:]
    assert "cli_exited" in report(server).output
    assert "CLAUDE_PROXY_RECORD=3: the last requests are kept" in server.log
    again = serve(**{**fake, "CLAUDE_PROXY_RECORD": "2"}, CLAUDE_PROXY_STATE_DIR=str(server.state))
    assert again.get("/ready")[1]["captures"] == 2
    last = again.chat("answer")[1]["x-request-id"]
    until(lambda: len(report(again).output.splitlines()) == 2, what="the last two")
    assert [name for name in (*ids, last) if name in report(again).output] == [ids[-1], last]
    again.stop()
    off = serve(**{**fake, "CLAUDE_PROXY_RECORD": ""}, CLAUDE_PROXY_STATE_DIR=str(server.state))
    assert "x-proxy-captured" not in off.chat("answer")[1]
    assert "requests of before are still kept" in off.log
