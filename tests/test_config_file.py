"""The configuration file: found where one looks for it, and where each of its lines begins."""

from __future__ import annotations

import tomllib
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import platformdirs
import pytest

from app import config_file
from app.config_file import key_lines
from app.config_reading import read_settings
from app.errors import ConfigError

ODD = '''\
# [comment]
"host" = "a" # port = 1
[agents.house]
tools = [
  "a", # ]
  "[b]",
]
system = """
[no.table]
port = 1
"""
path.to = 'x"'
   [ mcp . "home assistant" ]
env = { A = "]", B = "{" }
args = [ [1],
 [2] ]
last = 1
'''


def test_lines():
    """Each key has its line, whatever stands in the values before it."""
    assert key_lines(ODD) == {
        ("host",): 2,
        ("agents", "house"): 3,
        ("agents", "house", "tools"): 4,
        ("agents", "house", "system"): 8,
        ("agents", "house", "path", "to"): 12,
        ("mcp", "home assistant"): 13,
        ("mcp", "home assistant", "env"): 14,
        ("mcp", "home assistant", "args"): 15,
        ("mcp", "home assistant", "last"): 17,
    }


ENCLOSING = [
    '"a # [ b"',
    "'x\\'",
    '["a",\n "]"]',
    '"""\n[t]\nk = 1\n"""',
    "'''\n'a' [\n'''",
    '{ a = "}" }',
    "[[1], []]",
]
VALUES = st.sampled_from([*ENCLOSING, "1", "1 # ["])


@hypothesis.given(st.lists(VALUES, max_size=8), st.integers(0, 3))
def test_lines_of_any_file(values, blank):
    """The line of each key is that on which it begins."""
    text, lines = "\n" * blank, {}
    for number, value in enumerate(values):
        lines[f"k{number}",] = text.count("\n") + 1
        text += f"k{number} = {value}\n"
    tomllib.loads(text)
    assert key_lines(text) == lines


def test_where(tmp_path, monkeypatch):
    """Without a name it is the user's own, which need not be there; one that is named must be."""
    usual = platformdirs.user_config_path("claude-max-api-proxy") / "config.toml"
    assert config_file.where({}) == usual
    assert read_settings({}).config is None
    with pytest.raises(ConfigError, match="there is no such file; `claude-max-api config init` writes one"):
        read_settings({"CLAUDE_PROXY_CONFIG": str(tmp_path / "none.toml")})
    (tmp_path / "claude-max-api-proxy").mkdir()
    (tmp_path / "claude-max-api-proxy" / "config.toml").write_bytes(b"\xef\xbb\xbfport = 4000\r\nkeep = 2\r\n")
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / name)
    assert read_settings({}).port == 4000
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    for path, told in ((folder, "cannot be read: Is a directory"), (Path(__file__).with_name("no"), "no such file")):
        with pytest.raises(ConfigError, match=told):
            read_settings({"CLAUDE_PROXY_CONFIG": str(path)})
    folder.rmdir()
    folder.write_bytes(b"host = '\xff'")
    with pytest.raises(ConfigError, match=":1: it is not written in UTF-8"):
        read_settings({"CLAUDE_PROXY_CONFIG": str(folder)})


def test_danger(tmp_path):
    """A file that others may change is told of, and one with keys that others may read."""
    path = tmp_path / "config.toml"

    def danger(text, mode=0o644):
        path.write_text(text)
        path.chmod(mode)
        return config_file.danger(config_file.load({"CLAUDE_PROXY_CONFIG": str(path)}))

    for mode, told in ((0o600, False), (0o644, False), (0o664, True), (0o602, True)):
        assert (danger("port = 4000", mode) is not None) == told
    assert "holds API keys" in str(danger(f'api_keys = ["laptop:{"s" * 16}"]'))
    for text in ('database = "postgresql://ann:pw@host/db"', '[mcp.web]\nurl = "https://mcp.example"'):
        assert "may read it" in str(danger(text))
