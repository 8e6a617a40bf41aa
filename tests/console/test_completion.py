"""What a shell completes."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(console, shell):
    """Each shell gets its script."""
    result = console("completion", shell)
    assert result.exit_code == 0
    assert "_CLAUDE_MAX_API_COMPLETE" in result.stdout


def complete(words, **env):
    """What bash is offered for the last of these words."""
    told = {
        "_CLAUDE_MAX_API_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["claude-max-api", *words]),
        "COMP_CWORD": str(len(words)),
    }
    argv = [sys.executable, "-c", "from app.console import main; main(prog_name='claude-max-api')"]
    done = subprocess.run(argv, env={**env, **told}, capture_output=True, text=True, check=False, timeout=30)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completed(console, environment):
    """Commands, clients and the names of keys are completed."""
    env = environment()
    for name in ("laptop", "phone"):
        assert console("key", "add", name).exit_code == 0
    assert complete(["do"], **env) == ["docs", "doctor"]
    assert complete(["config", "sh"], **env) == ["show"]
    assert complete(["config", "op"], **env) == ["openclaw", "openai", "open-webui"]
    assert complete(["key", "revoke", ""], **env) == ["laptop", "phone"]
    assert complete(["key", "revoke", "l"], **env) == ["laptop"]
