"""Sessions that Claude Code keeps: a terminal goes on with what HTTP began, and HTTP with what a terminal began."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hermetic
import psutil
import pytest
from server import Server
from talk import told, turns

from app.standin import Failure, Reply, StandIn, Text, Thinking, ToolUse
from app.standin.stream import input_tokens

KEYS = {"ann": f"ann-{'a' * 30}", "ben": f"ben-{'b' * 30}"}
CONFIG = """
spares = 0
keep = 0
api_keys = [{keys}]

[agents.notes]
model = "sonnet"
workspace = "notes"
tools = ["Read", "Bash"]
keys = ["ann", "ben"]
system = "You keep notes."
folders = true
sessions = "claude"
fallback = ["haiku"]

[agents.talker]
model = "haiku"
workspace = "talk"
keys = ["ann"]
sessions = "claude"

[agents.other]
model = "sonnet"
workspace = "notes"
tools = ["Read"]
keys = ["ann"]
"""
ID_HEADER = "x-proxy-claude-session"


class Place:
    """A server with the table above, the folder of its configuration, and a terminal of the same user."""

    def __init__(self, server: Server, folder: Path, claude: Path, api: StandIn) -> None:
        self.server = server
        self.folder = folder
        self.home = Path(server.log_path).parent
        self._claude = claude
        self._environ = {
            name: value
            for name, value in hermetic.environment(self.home, api.url).items()
            if not name.startswith(("CLAUDE_PROXY", "LOG_"))
        }

    def terminal(self, text: str, *options: str, folder: str = "notes") -> str:
        """Ask `claude -p` in a folder; return the session's id."""
        argv = [str(self._claude), "-p", "--output-format=json", "--model=sonnet", *options, text]
        done = subprocess.run(
            argv, cwd=self.folder / folder, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        return str(json.loads(done.stdout)["session_id"])

    def ask(
        self, text: str, session: str | None, key: str = "ann", model: str = "notes", folder: str = "", **more: Any
    ) -> Any:
        """Ask over HTTP; return the status, the session's id for a terminal, and the text or the error."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        headers = {"Authorization": f"Bearer {KEYS[key]}"}
        headers |= {"X-Session-Id": session} if session is not None else {}
        headers |= {"X-Proxy-Folder": folder} if folder else {}
        status, got, data = self.server.request("POST", "/v1/chat/completions", body, headers, timeout=60)
        decoded = json.loads(data)
        said = decoded["choices"][0]["message"]["content"] if status == 200 else decoded["error"]
        return status, got.get(ID_HEADER), said

    def processes(self) -> list[psutil.Process]:
        """Return the living processes in the agent's folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self.folder / "notes"):
                    found.append(process)
        return found

    def transcripts(self) -> set[str]:
        """Return the ids of all sessions that Claude Code keeps."""
        return {path.stem for path in (self.home / ".claude" / "projects").glob("*/*.jsonl")}


@pytest.fixture(scope="module")
def session_place(
    session_serve: Callable[..., Server],
    tmp_path_factory: pytest.TempPathFactory,
    claude: Path,
    session_standin: StandIn,
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("operator")
    (folder / "notes" / "garden").mkdir(parents=True)
    (folder / "talk").mkdir()
    keys = ", ".join(f'"{name}:{secret}"' for name, secret in KEYS.items())
    (folder / "config.toml").write_text(CONFIG.format(keys=keys))
    (folder / "config.toml").chmod(0o600)
    server = session_serve(wait=False, CLAUDE_PROXY_CONFIG=str(folder / "config.toml"))
    yield Place(server.wait(), folder, claude, session_standin)
    server.kill()


@pytest.fixture
def place(session_place: Place, standin: StandIn) -> Place:
    standin.reply = answer
    return session_place


def answer(body: dict[str, Any]) -> Reply:
    """Think, run `echo` where the question says so, and answer with the question."""
    role, blocks = turns(body)[-1]
    assert role == "user"
    text = blocks[-1].get("text", "")
    if text.startswith("run"):
        return Reply((Thinking(["Hm."]), ToolUse("Bash", {"command": "echo ran it"})))
    return Reply((Thinking(["Well."]), Text([f"to {text}"])))


def name() -> str:
    """Return a name that no other test has."""
    return f"garden {uuid.uuid4()}"


def said(standin: StandIn) -> list[tuple[str, str]]:
    """Return what the API saw last, without the notes that Claude Code adds to the first message."""
    return [(role, text.rpartition("</system-reminder>")[2].strip()) for role, text in told(standin.messages[-1])]


def test_a_terminal_goes_on_with_what_http_began(place: Place, standin: StandIn) -> None:
    """The API sees the whole history, with thinking, calls and results, from both; the system prompt stays."""
    session = name()
    status, first, text = place.ask("run one", session)
    assert (status, text) == (200, "to ")
    status, second, text = place.ask("two", session)
    assert (status, second, text) == (200, first, "to two")
    assert place.terminal("three", f"--resume={first}") == first
    status, _, _ = place.ask("four", session)
    assert status == 200
    asked = standin.messages[-1]
    kinds = [[block["type"] for block in blocks] for role, blocks in turns(asked) if role == "assistant"]
    assert kinds == [["thinking", "tool_use"], *[["thinking", "text"]] * 3]
    (ran,) = (block for _, blocks in turns(asked) for block in blocks if block["type"] == "tool_result")
    assert "ran it" in json.dumps(ran)
    users = [text for role, text in said(standin) if role == "user"]
    assert [users[0], users[1], *users[2:]] == ["run one", "", "two", "three", "four"]
    assert "You keep notes." in json.dumps(asked["system"])


def test_http_goes_on_with_what_a_terminal_began(place: Place, standin: StandIn) -> None:
    begun = place.terminal("from the terminal")
    for key, text in (("ann", "over http"), ("ben", "another key of the agent's")):
        status, session, _ = place.ask(text, begun, key)
        assert (status, session) == (200, begun)
    told_last = said(standin)
    assert [text for role, text in told_last if role == "user"] == [
        "from the terminal",
        "over http",
        "another key of the agent's",
    ]
    # What may work here is the agent's choice, not the terminal's.
    assert {tool["name"] for tool in standin.messages[-1]["tools"]} == {"Bash", "Read"}


def test_a_process_that_is_killed_loses_nothing_that_was_answered(place: Place, standin: StandIn) -> None:
    """Between turns there is none; what was asked in vain may stay in the transcript, as it does in a terminal."""
    session = name()
    place.ask("one", session)
    assert place.processes() == []

    def killed(body: dict[str, Any]) -> Reply:
        for process in place.processes():
            process.kill()
        return answer(body)

    standin.reply = killed
    status, _, error = place.ask("in vain", session)
    assert (status, error["code"]) == (502, "cli_exited")
    standin.reply = answer
    assert place.ask("two", session)[0] == 200
    texts = said(standin)
    assert texts[:2] == [("user", "one"), ("assistant", "to one")]
    assert texts[-1][1].endswith("two")


@pytest.mark.parametrize("kind", ["unknown", "elsewhere", "made here"])
def test_an_id_that_is_not_the_agents_is_a_404(place: Place, standin: StandIn, kind: str) -> None:
    """The CLI would go on with a session of any folder, which this server does not let it."""
    given = {
        "unknown": lambda: str(uuid.uuid4()),
        "elsewhere": lambda: place.terminal("a secret", folder="talk"),
        "made here": lambda: place.ask("a secret", name())[1],
    }[kind]()
    before = len(standin.messages)
    status, _, error = place.ask("Go on.", given, "ben")
    assert (status, error["code"]) == (404, "session_not_found"), error
    assert given in error["message"]
    assert len(standin.messages) == before


def test_a_name_is_one_keys_and_one_folders(place: Place, standin: StandIn) -> None:
    session = name()
    ids = [
        place.ask("a secret", session, "ann")[1],
        place.ask("mine", session, "ben")[1],
        place.ask("below", session, "ann", folder="garden")[1],
    ]
    assert len({*ids}) == len(ids)
    assert all("secret" not in json.dumps(body["messages"]) for body in standin.messages[1:])


def test_two_requests_at_once_are_answered_one_after_the_other(place: Place, standin: StandIn) -> None:
    session = name()
    place.ask("one", session)
    began, release = threading.Event(), threading.Event()

    def held(body: dict[str, Any]) -> Reply:
        began.set()
        release.wait(30)
        return answer(body)

    standin.reply = held
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(place.ask("more", session)[0])) for _ in range(2)]
    threads[0].start()
    assert began.wait(30)
    threads[1].start()
    time.sleep(0.3)  # the second one would have asked meanwhile, and does not
    assert len(standin.messages) == 2
    release.set()
    for thread in threads:
        thread.join(60)
    assert statuses == [200, 200]
    assert [text for role, text in said(standin) if role == "user"] == ["one", "more", "more"]


def test_what_only_a_client_could_keep_is_refused(place: Place, standin: StandIn) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    status, _, error = place.ask("Hi", name(), tools=[tool])
    assert (status, error["param"]) == (400, "tools")
    history = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    status, _, error = place.ask("", name(), messages=history)
    assert (status, error["param"]) == (400, "messages")
    assert standin.messages == []


def test_no_other_model_tries_again(place: Place, standin: StandIn) -> None:
    """The question is in the transcript after the first attempt, so no fallback asks it once more."""
    standin.reply = lambda _: Failure.overloaded()
    status, _, error = place.ask("Hello", name())
    assert (status, error["code"]) == (503, "overloaded")
    assert {body["model"].split("-")[1] for body in standin.messages} == {"sonnet"}


def test_nothing_is_written_for_others(place: Place, standin: StandIn) -> None:
    """Neither for other agents and models, nor for a request that names no session."""
    before = place.transcripts()
    assert place.ask("Hi", name(), model="other")[:2] == (200, None)
    assert place.ask("Hi", name(), model="sonnet")[:2] == (200, None)
    assert place.ask("Hi", None)[:2] == (200, None)
    assert place.transcripts() == before


def test_each_turn_pays_for_itself(place: Place, standin: StandIn) -> None:
    """Claude Code counts a session on from process to process; a turn is charged what it used itself.

    The agent has no tools: its sessions are kept as well.
    """
    session = name()
    body = {"model": "talker", "messages": [{"role": "user", "content": "one"}]}
    headers = {"Authorization": f"Bearer {KEYS['ann']}", "X-Session-Id": session}
    for number in (1, 2):
        status, _, data = place.server.request("POST", "/v1/chat/completions", body, headers, timeout=60)
        assert status == 200
        assert len([role for role, _ in said(standin) if role == "user"]) == number
        assert json.loads(data)["usage"]["prompt_tokens"] == input_tokens(standin.messages[-1])
