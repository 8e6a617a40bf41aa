"""The guard of these tests: no CLI starts that could meet a real login, and what it does not know it refuses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import hermetic
import pytest


@pytest.fixture
def claude(tmp_path):
    """A harmless file with the name the guard looks for, which leaves a mark when it is run."""
    path = tmp_path / "claude"
    path.write_text(f"#!/bin/sh\n: > {tmp_path}/ran\n")
    path.chmod(0o755)
    return path


def good(tmp_path, **extra):
    return {**hermetic.environment(tmp_path), **extra}


def test_own_environment():
    """The test process itself has no login, no key and no home of a person."""
    hermetic.check(dict(os.environ))
    assert not [name for name in os.environ if name.startswith("ANTHROPIC_") and name != "ANTHROPIC_BASE_URL"]
    assert os.environ["HOME"] != str(Path("~root").expanduser())


def test_good(claude, tmp_path):
    """A hermetic environment is let through."""
    subprocess.run([claude], env=good(tmp_path), check=True)
    assert (tmp_path / "ran").exists()


BAD = {
    "nothing": lambda env: env.clear(),
    "no API": lambda env: env.pop("ANTHROPIC_BASE_URL"),
    "the real API": lambda env: env.update(ANTHROPIC_BASE_URL="https://api.anthropic.com"),
    "an API that looks like loopback": lambda env: env.update(ANTHROPIC_BASE_URL="http://127.0.0.1.evil.example"),
    "an API behind a loopback user": lambda env: env.update(ANTHROPIC_BASE_URL="http://127.0.0.1:80@evil.example"),
    "no home": lambda env: env.pop("HOME"),
    "a person's home": lambda env: env.update(HOME="/root"),
    "the temporary folder itself": lambda env: env.update(HOME="/tmp"),
    "a way out of the temporary folder": lambda env: env.update(HOME="/tmp/../root"),
    "a person's settings": lambda env: env.update(CLAUDE_CONFIG_DIR="/root/.claude"),
    "a real token": lambda env: env.update(CLAUDE_CODE_OAUTH_TOKEN="sk-ant-oat01-real"),
    "a key": lambda env: env.update(ANTHROPIC_API_KEY="sk-ant-x"),
    "an empty key": lambda env: env.update(ANTHROPIC_API_KEY=""),
    "another token": lambda env: env.update(ANTHROPIC_AUTH_TOKEN="x"),
    "another cloud": lambda env: env.update(CLAUDE_CODE_USE_BEDROCK="1"),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_bad(claude, tmp_path, spoil):
    """Each way to the world is refused before the process exists."""
    env = good(tmp_path)
    spoil(env)
    with pytest.raises(AssertionError):
        subprocess.run([claude], env=env, check=True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_names(claude, tmp_path, kind):
    """The executable is recognised in every form that a program may give it."""
    with pytest.raises(AssertionError):
        subprocess.run([kind(claude)], env={b"HOME": b"/root"}, check=True)


def test_inherited_environment(claude, tmp_path, monkeypatch):
    """An environment that is merely inherited is looked at too."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-x")
    with pytest.raises(AssertionError):
        subprocess.run([claude], check=True)


def test_others():
    """Programs that are no CLI are no business of the guard."""
    subprocess.run(["true"], env={}, check=True)
