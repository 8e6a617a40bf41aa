"""What the README and the documents tell one to type does what they say, block by block."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hermetic
import pytest
from server import ROOT, Server, until

from app.captures.captures import FOLDER
from app.standin import StandIn

# A block may be several commands, each of which starts a Python.
pytestmark = pytest.mark.timeout(180)

BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Step(NamedTuple):
    """How a block is typed, and what it then `says` on its output.

    Some words are `changed` before, a line follows (`then`), and it has a state folder of its `own` where it would
    change the server's. One that is shown by other tests says by which (`elsewhere`).
    """

    says: str = ""
    then: str = ""
    changed: tuple[str, str] = ("", "")
    own: bool = False
    elsewhere: str = ""


# By the first words of each block.
STEPS = {
    "uv tool install": Step(elsewhere="tests/e2e/test_package.py"),
    "python3 -m venv .venv && .venv/bin/pip install '.[claude]'": Step(elsewhere="tests/e2e/test_package.py"),
    "python3 -m venv .venv && .venv/bin/pip install -q -e": Step(elsewhere=".ci/run"),
    "curl -N http": Step("data: [DONE]"),
    "from openai import OpenAI": Step("One two three."),
    "claude-max-api service install": Step(
        "Would do, in this order:", changed=("install", "install --dry-run || true")
    ),
    "export OPENAI_BASE_URL": Step("claude-sonnet-4", then="python -c 'import openai; print(openai.models.list())'"),
    "cline auth": Step(elsewhere="tests/test_client_configs.py"),
    "export OLLAMA_HOST": Step("claude-sonnet-4", then="python -c 'import ollama; print(ollama.list())'"),
    "ANTHROPIC_BASE_URL=": Step(elsewhere="tests/clients/test_claude_code.py"),
    "claude-max-api ask": Step("One two three."),
    "eval ": Step("_claude_max_api_completion", then="complete -p claude-max-api"),
    "python3 -m venv .venv && .venv/bin/pip install . ": Step(elsewhere="tests/e2e/test_container.py"),
    "docker run": Step(elsewhere="tests/e2e/test_container.py"),
    "../.venv/bin/claude-max-api config compose": Step(elsewhere="tests/console/config/test_client.py"),
    "claude-max-api config openclaw": Step('"mode": "merge"'),
    "claude-max-api key add openclaw": Step(
        "they can do here what you can do", own=True, changed=("api serve", "api doctor --json || true")
    ),
    "claude-max-api report": Step("req_"),
    "journalctl": Step(elsewhere="tests/console/service/test_log_lines.py"),
    "claude-max-api key add laptop": Step("made", own=True),
    "claude-max-api key add ann": Step("sk-cmap-", own=True),
    "claude-max-api key add bot": Step("requests", own=True),
    "curl http": Step("One two three."),
    "claude-max-api config init": Step("max_concurrency = 8", own=True),
    "claude-max-api config check": Step("One two three.", changed=("api doctor ", "api doctor || true ")),
    "pip install '.[postgres]'": Step(elsewhere="tests/postgres/test_servers.py"),
    "claude-max-api config haproxy": Step(elsewhere="tests/postgres/test_hosts.py"),
    "claude-max-api usage": Step("list price"),
}


def blocks() -> list[Any]:
    """Return each block with its page and its language."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "app/docs").glob("*.md"))):
        for number, match in enumerate(BLOCK.finditer(page.read_text()), 1):
            found.append(pytest.param(match[1], match[2], id=f"{page.stem}-{number}"))
    return found


def step_of(text: str) -> Step:
    """Return how a block is typed; each has exactly one way."""
    (found,) = [step for begin, step in STEPS.items() if text.strip().startswith(begin)] or [None]
    assert found is not None, f"say in STEPS how this block is tried:\n{text}"
    return found


@pytest.fixture(scope="module")
def walked(session_serve: Callable[..., Server]) -> Iterator[Server]:
    """A server that has answered, and keeps what it answers, so that every command finds something."""
    server = session_serve(CLAUDE_PROXY_RECORD="5")
    try:
        status, _, body = server.chat("Hello")
        assert status == 200, body
        until(lambda: list((server.state / FOLDER).glob("*.jsonl")), what="a capture")
        yield server
    finally:
        server.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder one is in: a repository with a change, and the files that are asked about."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "notes.txt").write_text("before\n")
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    (tmp_path / "notes.txt").write_text("after\n")
    (tmp_path / "plan.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    (tmp_path / "sketch.png").write_bytes(DOT)
    return tmp_path


@pytest.fixture
def run(walked: Server, standin: StandIn, claude: Path, folder: Path) -> Callable[[str, str, Step], str]:
    """Give a function that types a block, as one who has this server; it returns what was said."""

    def type_in(language: str, text: str, step: Step) -> str:
        typed = text.replace("3456", str(walked.port))
        if "req_0123" in typed:
            kept = max((walked.state / FOLDER).glob("*.jsonl"))
            typed = typed.replace("req_0123", kept.stem.partition("-")[2])
        typed = typed.replace(*step.changed) if step.changed[0] else typed
        argv = (
            ["python", "-c", typed] if language == "python" else ["bash", "-euo", "pipefail", "-c", typed + step.then]
        )
        given = {
            "CLAUDE_PROXY_STATE_DIR": str(folder / "state" if step.own else walked.state),
            "PORT": str(walked.port),
            "CLAUDE_BIN": str(claude),
            "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        }
        env = hermetic.environment(folder, standin.url, **given)
        done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=170)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return type_in


@pytest.mark.parametrize(("language", "text"), blocks())
def test_block(run: Callable[[str, str, Step], str], language: str, text: str) -> None:
    """A block runs without an error and says what its page promises."""
    step = step_of(text)
    if step.elsewhere:
        assert (ROOT / step.elsewhere).is_file()
    else:
        assert step.says in run(language, text, step)
