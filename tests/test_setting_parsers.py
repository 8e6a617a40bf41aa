"""Each kind of value, as people write it, and what is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app.config import Settings
from app.config_reading import read_settings
from app.errors import ConfigError
from app.keys.key import Key, digest


def read(**environ):
    return read_settings(environ)


FIELDS = {field.metadata["env"]: field for field in dataclasses.fields(Settings) if "env" in field.metadata}


GOOD = [
    ("PORT", "65535", 65535),
    ("PORT", " 80 ", 80),
    ("CLAUDE_BIN", "/opt/claude", Path("/opt/claude")),
    ("CLAUDE_BIN", "~/claude", Path("~/claude").expanduser()),
    ("CLAUDE_BIN", "bin/claude", Path.cwd() / "bin/claude"),
    ("CLAUDE_PROXY_SPARES", "0", 0),
    ("CLAUDE_PROXY_TIMEOUT", "0.5", 0.5),
    ("CLAUDE_PROXY_MAX_BODY", "33554432", 32 * 2**20),
    ("CLAUDE_PROXY_MAX_BODY", "32MiB", 32 * 2**20),
    ("CLAUDE_PROXY_MAX_BODY", "1k", 2**10),
    ("CLAUDE_PROXY_MAX_BODY", "2 GB", 2 * 2**30),
    ("CLAUDE_PROXY_PASS_ENV", "A, B,,C D", ("A", "B", "C", "D")),
    ("CLAUDE_PROXY_ALLOWED_ORIGINS", "https://A.example/, http://b:8080", ("https://a.example", "http://b:8080")),
    ("CLAUDE_PROXY_ALLOWED_ORIGINS", "chrome-extension://abc", ("chrome-extension://abc",)),
    ("CLAUDE_PROXY_DEMO", "yes", True),
    ("CLAUDE_PROXY_DEMO", "0", False),
    ("LOG_LEVEL", "debug", "DEBUG"),
    ("LOG_FORMAT", "JSON", "json"),
    ("CLAUDE_PROXY_API_KEYS", f"laptop:{'s' * 16}", (Key("laptop", digest("s" * 16)),)),
    ("CLAUDE_PROXY_KEY_RPM", "60", 60),
    ("HOST", "localhost", "localhost"),
    ("HOST", "::1", "::1"),
    ("HOST", "[::1]", "::1"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_values(name, text, value):
    """Each kind of value is read as people write it."""
    assert getattr(read(**{name: text}), FIELDS[name].name) == value


BAD = [
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "-1"),
    ("PORT", "80.0"),
    ("PORT", "\u0663"),
    ("PORT", "9" * 5000),
    ("CLAUDE_PROXY_MAX_CONCURRENCY", "0"),
    ("CLAUDE_PROXY_TIMEOUT", "0"),
    ("CLAUDE_PROXY_TIMEOUT", "nan"),
    ("CLAUDE_PROXY_TIMEOUT", "inf"),
    ("CLAUDE_PROXY_TIMEOUT", "1e3"),
    ("CLAUDE_PROXY_MAX_BODY", "0"),
    ("CLAUDE_PROXY_MAX_BODY", "32 apples"),
    ("CLAUDE_PROXY_ALLOWED_ORIGINS", "*"),
    ("CLAUDE_PROXY_ALLOWED_ORIGINS", "chat.example.org"),
    ("CLAUDE_PROXY_ALLOWED_ORIGINS", "https://a.example/path"),
    ("CLAUDE_PROXY_ALLOWED_ORIGINS", "https://*.example"),
    ("CLAUDE_PROXY_DEMO", "maybe"),
    ("LOG_LEVEL", "LOUD"),
    ("LOG_FORMAT", "xml"),
    ("CLAUDE_PROXY_KEY_CONCURRENCY", "-1"),
    ("CLAUDE_PROXY_WORKSPACE", "/no/such/folder"),
    ("CLAUDE_PROXY_TOOLS", "read"),
    ("CLAUDE_PROXY_TOOLS", "Read,KillShell"),
]
GOOD_TOOLS = [("Read,mcp__git__log", ("Read", "mcp__git__log")), ("ALL", ("all",)), ("none", ())]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_bad_values(name, text):
    """A value that cannot be used is refused in one line that names the variable."""
    with pytest.raises(ConfigError) as caught:
        read(**{name: text})
    assert str(caught.value).startswith(f"{name}={text}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "tools"), GOOD_TOOLS)
def test_tools(text, tools):
    """Tools are Claude Code's own by their names, or those of MCP servers that its settings name."""
    assert read(CLAUDE_PROXY_TOOLS=text, CLAUDE_PROXY_TOOLS_FOR="anyone").tools == tools
