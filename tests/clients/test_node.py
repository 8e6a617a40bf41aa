"""openai-node, the AI SDK and ollama-js, in a Node that knows nothing of this machine but where packages come from."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import npm
import pytest
from server import Server
from talk import turns

from app.standin import Reply, StandIn, Text, Thinking

from .scenario import ADDRESS, ANSWER, FORECAST, Refusal

SCRIPTS = Path(__file__).parent / "node"
RUN_TIMEOUT = 50
CLASSES = {
    ("openai_node", 401): "AuthenticationError",
    ("openai_node", 429): "RateLimitError",
    ("openai_node", 400): "BadRequestError",
    **{("ollama_node", status): "ResponseError" for status in (400, 401, 429)},
}
REASONS = {"openai_node": "tool_calls", "ollama_node": "stop"}
# @ai-sdk/anthropic and ollama hand on nothing of an error but its words, and at most its type.
CODELESS = {"ai_sdk_anthropic", "ollama_node"}

pytestmark = [
    pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not installed"),
    pytest.mark.timeout(npm.INSTALL_TIMEOUT + RUN_TIMEOUT + 30),
]


@pytest.fixture(scope="session")
def node_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("node-home")


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The scripts beside their packages, which are kept in pytest's cache for as long as the lock file is the same."""
    installed = npm.installed(SCRIPTS, pytestconfig.cache.mkdir("node-clients"), tmp_path_factory.mktemp("npm"))
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, installed)
    return installed


@pytest.fixture(params=["openai_node", "ai_sdk", "ai_sdk_openai", "ai_sdk_anthropic", "ollama_node"])
def client(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def node(client: str, scripts: Path, node_home: Path, server: Server) -> Callable[[str], Any]:
    """Run one scenario of a client's script; return what it printed."""

    def run(scenario: str) -> Any:
        done = subprocess.run(
            ["node", f"{client}.mjs", f"{server.url}/v1", scenario],
            cwd=scripts,
            env=npm.environment(node_home),
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_TIMEOUT,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_chat(node: Callable[[str], Any]) -> None:
    """A question gets its answer."""
    assert node("chat") == {"text": ANSWER, "finish_reason": "stop"}


def test_stream(node: Callable[[str], Any]) -> None:
    """A stream gives the answer piece by piece."""
    assert node("stream") == {"pieces": ["One ", "two ", "three."]}
    assert ANSWER == "One two three."


def test_tool_round(client: str, node: Callable[[str], Any], tool_round: object, *, stream: bool) -> None:
    """Two calls at once come to the client, and their results lead to the final answer."""
    expected = {"finish_reason": REASONS.get(client, "tool-calls"), "calls": 2, "text": FORECAST}
    assert node("tools_streamed" if stream else "tools") == expected


def test_structured(node: Callable[[str], Any], structured: None) -> None:
    """A zod schema gives the object."""
    assert node("structured") == {"parsed": ADDRESS.model_dump()}


def test_refusal(client: str, node: Callable[[str], Any], refused: Refusal, *, stream: bool) -> None:
    """A refusal is the client's own error class with status, code and words, and is not tried again."""
    error = node("refusal_streamed" if stream else "refusal")
    assert error["class"] == CLASSES.get((client, refused.status), "AI_APICallError")
    code = None if client in CODELESS else refused.code
    assert (error["status"], error["code"]) == (refused.status, code)
    assert all(words in error["message"] for words in refused.words)


only_ollama = pytest.mark.parametrize("client", ["ollama_node"], indirect=True)


@only_ollama
def test_thinking(client: str, node: Callable[[str], Any], standin: StandIn) -> None:
    """Thinking comes apart from the answer."""
    standin.reply = lambda _: Reply((Thinking(["Hm, ", "well."]), Text(["So."])))
    assert node("thinking") == {"text": "So.", "thinking": "Hm, well."}


@only_ollama
def test_picture(client: str, node: Callable[[str], Any], standin: StandIn) -> None:
    """A picture reaches the API as what it is."""
    assert node("picture") == {"text": ANSWER}
    ((_, blocks),) = turns(standin.messages[0])
    assert [block["type"] for block in blocks] == ["text", "image"]


@only_ollama
def test_models(client: str, node: Callable[[str], Any]) -> None:
    """The models are listed and shown."""
    told = node("models")
    assert "claude-sonnet-4:latest" in told["names"]
    assert {"completion", "tools"} <= set(told["capabilities"])
