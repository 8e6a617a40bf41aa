"""What one API key has is no other's: processes, sessions, responses; nor that of a key made anew under its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hermetic
import pytest
from server import Server, until
from talk import process_of, turns

from app.keys.file import KeyFile
from app.standin import Reply, StandIn, Text, Thinking, ToolUse

LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
STARTED_FOR_IT = {"spare", "cold"}


class Caller:
    """Asks a server with a key of its own."""

    def __init__(self, server: Server, secret: str) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {secret}"}

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        status, headers, data = self._server.request(method, path, body, self._headers)
        return status, headers, json.loads(data)

    def chat(self, messages: list[Any], **fields: Any) -> tuple[str, Any]:
        """Return how the request was served, and the message that answers it."""
        body = {"model": "sonnet", "messages": messages, **fields}
        status, headers, told = self.send("POST", "/v1/chat/completions", body)
        assert status == 200, told
        return headers["x-proxy-served"], told["choices"][0]["message"]

    def ready(self) -> Any:
        return self.send("GET", "/ready")[2]


@pytest.fixture
def given(serve: Callable[..., Server]) -> Callable[..., tuple[Server, KeyFile]]:
    """Give a function that starts a server whose keys are in its file."""

    def start(**env: str) -> tuple[Server, KeyFile]:
        server = serve(**env)
        return server, KeyFile(server.state)

    return start


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_kept(given: Callable[..., tuple[Server, KeyFile]], standin: StandIn) -> None:
    """The same words of another key go to another process, which knows nothing of the first one's thoughts."""
    standin.reply = lambda _: Reply((Thinking(["ANNS THOUGHT"]), Text(["Yes."])))
    server, file = given()
    ann, bob = (Caller(server, file.add(name)) for name in ("ann", "bob"))
    history = [user("Hello")]
    served, said = ann.chat(history, reasoning_effort="high")
    assert served in STARTED_FOR_IT
    history += [{"role": "assistant", "content": said["content"]}, user("And now?")]
    assert bob.chat(history, reasoning_effort="high")[0] in STARTED_FOR_IT
    assert "ANNS THOUGHT" not in json.dumps(standin.messages[-1])
    assert ann.chat(history, reasoning_effort="high")[0] == "kept"


def test_parked(given: Callable[..., tuple[Server, KeyFile]], standin: StandIn) -> None:
    """Another key's results do not answer a call that waits, though its id is known."""
    standin.reply = lambda body: Reply(
        (Text(["Done."]) if "tool_result" in json.dumps(body["messages"]) else ToolUse("look", {}),)
    )
    server, file = given()
    ann, bob = (Caller(server, file.add(name)) for name in ("ann", "bob"))
    _, said = ann.chat([user("Look")], tools=[LOOK])
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "seen"}
    history = [user("Look"), said, result]
    assert bob.chat(history, tools=[LOOK])[0] in STARTED_FOR_IT
    assert ann.chat(history, tools=[LOOK])[0] == "parked"


def test_reused(given: Callable[..., tuple[Server, KeyFile]], standin: StandIn) -> None:
    """An opening that one key uses again and again has no process for another, and a key that is revoked has none."""
    server, file = given()
    ann, bob = (Caller(server, file.add(name)) for name in ("ann", "bob"))
    system = {"role": "system", "content": "The opening of both."}
    assert ann.chat([system, user("Question")])[0] in STARTED_FOR_IT
    assert ann.chat([system, user("Question 2")])[0] == "reused"
    assert bob.chat([system, user("Hello")])[0] in STARTED_FOR_IT
    assert ann.chat([system, user("Hello")])[0] == "reused"
    sent = [process_of(body) for body in standin.messages]
    assert sent[0] == sent[1] == sent[3] != sent[2]
    assert bob.ready()["kept"]["idle"] == 2
    file.revoke("ann")
    until(lambda: bob.ready()["kept"]["idle"] == 1, what="the end of the process of Ann's words")
    assert bob.chat([system, user("Hello")])[0] == "reused"


def test_a_name_given_again(given: Callable[..., tuple[Server, KeyFile]], standin: StandIn) -> None:
    """A key under a revoked one's name has none of its sessions, responses and processes."""
    server, file = given()
    old = Caller(server, file.add("laptop"))
    assert old.chat([user("The word is hunter2.")], session_id="s")[0] in STARTED_FOR_IT
    _, _, response = old.send("POST", "/v1/responses", {"model": "sonnet", "input": "The word is hunter2."})
    history = [user("Hello")]
    history += [{"role": "assistant", "content": old.chat(history)[1]["content"]}, user("And now?")]
    file.revoke("laptop")
    until(lambda: old.send("GET", "/v1/sessions")[0] == 401, what="the end of the key")
    new = Caller(server, file.add("laptop"))
    until(lambda: new.send("GET", "/v1/sessions")[0] == 200, what="the key")
    assert new.send("GET", "/v1/sessions")[2]["data"] == []
    assert new.send("GET", "/v1/sessions/s")[0] == 404
    assert new.send("DELETE", "/v1/sessions/s")[0] == 404
    assert new.send("GET", f"/v1/responses/{response['id']}")[0] == 404
    assert new.send("DELETE", f"/v1/responses/{response['id']}")[0] == 404
    follow = {"model": "sonnet", "input": "Which word?", "previous_response_id": response["id"]}
    status, _, told = new.send("POST", "/v1/responses", follow)
    assert (status, told["error"]["code"]) == (400, "previous_response_not_found")
    reference = {"type": "item_reference", "id": response["output"][0]["id"]}
    status, _, _ = new.send("POST", "/v1/responses", {"model": "sonnet", "input": [reference, user("Which?")]})
    assert status == 400
    assert new.chat(history)[0] in STARTED_FOR_IT
    new.chat([user("Which word?")], session_id="s")
    assert "hunter2" not in json.dumps(standin.messages[-1])


def test_what_an_agent_saw(given: Callable[..., tuple[Server, KeyFile]], standin: StandIn, tmp_path: Path) -> None:
    """What a tool read for one key is in no API request of another, whose history is the same."""
    note = tmp_path / "note.txt"
    note.write_text("hunter2")

    def reply(body: dict[str, Any]) -> Reply:
        if any(block["type"] == "tool_result" for _, blocks in turns(body) for block in blocks):
            return Reply((Text(["Seen."]),))
        return Reply((ToolUse("Read", {"file_path": str(note)}),))

    standin.reply = reply
    root = {"CLAUDE_PROXY_PASS_ENV": f"{hermetic.PASSED},IS_SANDBOX", "IS_SANDBOX": "1"}
    server, file = given(CLAUDE_PROXY_TOOLS="Read", CLAUDE_PROXY_TOOLS_FOR="ann,bob", **root)
    ann, bob = (Caller(server, file.add(name)) for name in ("ann", "bob"))
    history = [user("Read it.")]
    assert ann.chat(history)[1]["content"] == "Seen."
    assert "hunter2" in json.dumps(standin.messages[-1])
    history += [{"role": "assistant", "content": "Seen."}, user("And?")]
    standin.reply = lambda _: Reply((Text(["Well."]),))
    assert bob.chat(history)[0] in STARTED_FOR_IT
    assert "hunter2" not in json.dumps(standin.messages[-1])
    assert ann.chat(history)[0] == "kept"
    assert "hunter2" in json.dumps(standin.messages[-1])


def test_figures(given: Callable[..., tuple[Server, KeyFile]], standin: StandIn) -> None:
    """A key's metrics are its own; those of all are shown to the key that the operator named."""
    server, file = given(CLAUDE_PROXY_ADMIN_KEYS="boss")
    secrets = {name: file.add(name) for name in ("ann", "bob", "boss")}
    for name in ("ann", "bob"):
        assert Caller(server, secrets[name]).send("GET", "/v1/models")[0] == 200

    def seen(name: str) -> set[str]:
        headers = {"Authorization": f"Bearer {secrets[name]}"}
        status, _, data = server.request("GET", "/metrics", headers=headers)
        assert status == 200
        return {other for other in secrets if f'key="{other}"' in data.decode()}

    assert (seen("ann"), seen("bob")) == ({"ann"}, {"bob"})
    assert seen("boss") >= {"ann", "bob"}
