"""The settings: read once, checked, documented where they are read."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from app.config import Settings, is_loopback, table
from app.errors import ConfigError
from app.keys.file import KeyFile
from app.keys.key import Key, digest


def read(**environ):
    return Settings.from_environ(environ)


FIELDS = {field.metadata["env"]: field for field in dataclasses.fields(Settings) if "env" in field.metadata}


def test_defaults():
    """Without any variable the server listens on loopback only, for one person."""
    settings = read()
    assert (settings.host, settings.port, settings.default_model) == ("localhost", 3456, "opus")
    assert settings.claude_bin is None
    assert settings.state_dir.is_absolute()
    assert settings.allowed_origins == settings.allowed_hosts == settings.pass_env == ()
    assert settings.demo is False or settings.demo == 0


@pytest.mark.parametrize("name", FIELDS)
def test_empty_is_unset(name):
    """An empty or blank value is as good as none."""
    assert getattr(read(**{name: "  "}), FIELDS[name].name) == getattr(read(), FIELDS[name].name)


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
]
BEYOND_LOOPBACK = ["0.0.0.0", "::", "192.168.1.2", "example.org"]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_bad_values(name, text):
    """A value that cannot be used is refused in one line that names the variable."""
    with pytest.raises(ConfigError) as caught:
        read(**{name: text})
    assert str(caught.value).startswith(f"{name}={text}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", BEYOND_LOOPBACK)
def test_beyond_loopback(tmp_path, host):
    """Other machines are listened to only where there is a key, of the environment or of the file."""
    file, state = KeyFile(tmp_path), str(tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"^HOST={host} .*without a key.*key add NAME"):
            read(HOST=host, CLAUDE_PROXY_STATE_DIR=state)
        # A file without keys, as the second round finds it, would serve nobody.
        file.add("a")
        assert read(HOST=host, CLAUDE_PROXY_STATE_DIR=state).host == host
        file.revoke("a")
    assert read(HOST=host, CLAUDE_PROXY_STATE_DIR=state, CLAUDE_PROXY_API_KEYS=f"a:{'s' * 16}").host == host
    file.path.write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        read(HOST=host, CLAUDE_PROXY_STATE_DIR=state)


def test_bad_keys_are_not_quoted():
    """The sentence about keys that cannot be used names the variable and holds no key."""
    with pytest.raises(ConfigError, match=r"^CLAUDE_PROXY_API_KEYS cannot be used: ") as caught:
        read(CLAUDE_PROXY_API_KEYS="a:hushhushhushhush,hush")
    assert "hush" not in str(caught.value)


def test_cli_environment():
    """The CLI gets its login, its network and its language, what the operator names, and nothing else."""
    given = {
        "HOME": "/home/me",
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy:1",
        "CLAUDE_CODE_OAUTH_TOKEN": "token",
        "MINE": "1",
    }
    withheld = {
        "ANTHROPIC_API_KEY": "sk-ant-x",
        "ANTHROPIC_AUTH_TOKEN": "x",
        "ANTHROPIC_BASE_URL": "https://elsewhere.example",
        "CLAUDECODE": "1",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "NODE_OPTIONS": "--inspect",
        "LD_PRELOAD": "x.so",
        "OTHER": "1",
        "CLAUDE_PROXY_API_KEYS": f"a:{'s' * 16}",
    }
    settings = read(CLAUDE_PROXY_PASS_ENV="MINE", **given, **withheld)
    assert dict(settings.cli_environ) == given


def test_no_credential_in_repr():
    """A settings object that ends up in a log or a traceback shows no token."""
    settings = read(CLAUDE_CODE_OAUTH_TOKEN="SECRET", CLAUDE_PROXY_API_KEYS="a:SECRETSECRETSECRET")
    assert "SECRET" not in repr(settings)
    assert "SECRET" not in repr(settings.api_keys)


def test_frozen():
    """Nobody changes a setting while the server runs."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().port = 1


def test_table():
    """The documentation has a row for each variable, with its default."""
    rows = table().splitlines()[2:]
    assert [re.match(r"\| `(\w+)` \|", row)[1] for row in rows] == list(FIELDS)
    assert all(row.count("|") == 4 for row in rows)
    assert "| `PORT` | `3456` |" in table()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("Localhost.", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("128.0.0.1", False),
        ("127.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1:80", False),
        ("127.0.0.1 ", False),
    ],
)
def test_is_loopback(host, loopback):
    """Only what cannot mean another machine counts as this one."""
    assert is_loopback(host) is loopback
