"""The settings: read once, checked, documented where they are read."""

from __future__ import annotations

import dataclasses
import re

import pytest

from app.config import Settings, table
from app.config_reading import read_settings
from app.errors import ConfigError
from app.keys.file import KeyFile


def read(**environ):
    return read_settings(environ)


FIELDS = {field.metadata["env"]: field for field in dataclasses.fields(Settings) if "env" in field.metadata}


def test_defaults():
    """Without any variable the server listens on loopback only, for one person."""
    settings = read()
    assert (settings.host, settings.port, settings.default_model) == ("localhost", 3456, "opus")
    assert settings.claude_bin is None
    assert settings.state_dir.is_absolute()
    assert settings.allowed_origins == settings.allowed_hosts == settings.pass_env == ()
    assert settings.demo is False or settings.demo == 0


BEYOND_LOOPBACK = ["0.0.0.0", "::", "192.168.1.2", "example.org"]


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
