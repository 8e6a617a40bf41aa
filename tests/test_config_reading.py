"""How the settings are read: from the environment and a file that a person writes, each mistake with its place."""

from __future__ import annotations

import pytest

from app.config import fields
from app.config_reading import Reading, read_settings
from app.console.config.file import template
from app.errors import ConfigError
from app.keys.key import Key, digest


@pytest.fixture
def reading(tmp_path):
    """Give a function that reads a file with this text, and further variables."""

    def read(text, **environ):
        (tmp_path / "config.toml").write_text(text)
        return Reading.of({"CLAUDE_PROXY_CONFIG": str(tmp_path / "config.toml"), **environ})

    return read


@pytest.mark.parametrize(("name", "variable"), [(field.name, field.metadata["env"]) for field in fields()])
def test_empty_is_unset(name, variable):
    """An empty or blank value is as good as none."""
    assert getattr(read_settings({variable: "  "}), name) == getattr(read_settings({}), name)


def test_bad_keys_are_not_quoted():
    """The sentence about keys that cannot be used names the variable and holds no key."""
    with pytest.raises(ConfigError, match=r"^CLAUDE_PROXY_API_KEYS cannot be used: ") as caught:
        read_settings({"CLAUDE_PROXY_API_KEYS": "a:hushhushhushhush,hush"})
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
    settings = read_settings({"CLAUDE_PROXY_PASS_ENV": "MINE", **given, **withheld})
    assert dict(settings.cli_environ) == given


def test_settings_of_the_file(reading, tmp_path):
    """Each kind of value is taken as TOML has it, a path from the file's folder on, and the environment wins."""
    found = reading(
        'port = 4000\ntimeout = 1.5\nmax_body = "1MiB"\ndemo = true\ntools = ["Read", "Bash"]\ntools_for = "anyone"\n'
        'claude_bin = "bin/claude"\nlog_level = "debug"\nreserve = "20%"\nhost = ""\nallowed_hosts = []\n'
        f'api_keys = ["laptop:{"s" * 16}"]\nspares = 3\n',
        CLAUDE_PROXY_SPARES="2",
    )
    settings = found.settings
    assert found.mistakes == found.unfit == []
    assert (settings.port, settings.timeout, settings.max_body, settings.demo) == (4000, 1.5, 2**20, True)
    assert (settings.tools, settings.tools_for, settings.log_level) == (("Read", "Bash"), ("anyone",), "DEBUG")
    assert (settings.claude_bin, settings.reserve) == (tmp_path / "bin/claude", 0.2)
    assert (settings.host, settings.allowed_hosts) == ("localhost", ())
    assert settings.api_keys == (Key("laptop", digest("s" * 16)),)
    assert (settings.spares, settings.config) == (2, tmp_path / "config.toml")
    assert (found.origins["spares"], found.origins["port"]) == ("CLAUDE_PROXY_SPARES", f"{settings.config}:1")


MISTAKES = [
    ('port = "x"', 'port = "x" cannot be used: it takes a whole number from 1 to 65535'),
    ("port = true", "port = true cannot be used: it takes a whole number"),
    ("port = 4000.5", "port = 4000.5 cannot be used: it takes a whole number"),
    ("timeout = [1]", "timeout = [1] cannot be used: it takes a number"),
    ("demo = 1", "demo = 1 cannot be used: it takes true or false"),
    ("tools = 3", "tools = 3 cannot be used: it takes a list of texts"),
    ("tools = [1]", "tools = [1] cannot be used: it takes a text, a number, true or false, or a list of texts"),
    ("host = 5", 'host = 5 cannot be used: it takes a text, in quotation marks: "…"'),
    ("prot = 4000", "there is no setting prot; did you mean port?"),
    ("max-concurrency = 2", "there is no setting max-concurrency; did you mean max_concurrency?"),
    ("CLAUDE_PROXY_PORT = 2", "there is no setting CLAUDE_PROXY_PORT; did you mean port?"),
    ('config = "x"', "there is no setting config; "),
    ("[server]\nport = 1", "there is no setting server; "),
    ("workspace = 'no such'", 'workspace = "no such" is no folder; correct it, or make the folder'),
    ('tools = ["Read"]', "needs CLAUDE_PROXY_TOOLS_FOR"),
    ('host = "0.0.0.0"', "would let other machines use your login without a key"),
    ('api_keys = ["a:hush"]', "api_keys cannot be used: it takes "),
    ("port = 1\nport = 2", "this is no TOML: "),
    ("model = sonnet", "this is no TOML: Invalid value; a text stands in quotation marks"),
    ('keep = 3\nhost = "a', "this is no TOML: "),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_mistakes(reading, text, told):
    """A mistake is named with file, line and what it takes; the setting has its default."""
    found = reading(f"# one\n\n{text}\n")
    (sentence,) = found.mistakes + found.unfit
    line = 4 if text.startswith(("port = 1", "keep")) else 3
    assert sentence.startswith(f"{found.file.path}:{line}: ")
    assert told in sentence
    assert "hush" not in sentence
    assert found.settings == Reading.of({"CLAUDE_PROXY_CONFIG": str(found.file.path)}).settings


def test_all_mistakes_in_order(reading):
    """A start that is refused names the first mistake and says how many more there are; the check has them by line."""
    found = reading('spares = "many"\nkeap = 1\ntimeout = "soon"\n', PORT="x")
    starts = [sentence.split(": ")[0].split(":")[-1] for sentence in found.mistakes]
    assert starts == ["PORT=x cannot be used", "1", "2", "3"]
    with pytest.raises(ConfigError, match=r"^PORT=x .* \(and 3 more: `claude-max-api config check` names all\)$"):
        read_settings({"CLAUDE_PROXY_CONFIG": str(found.file.path), "PORT": "x"})


def test_template(reading):
    """The file that is written first says nothing; with its comments taken away it says what holds anyway."""
    assert set(reading(template()).origins) == {"config"}
    settings = template().partition("# Agents by name")[0]
    lines = [line for line in settings.splitlines() if not line.startswith("# ") and not line.endswith(" =")]
    found = reading("\n".join(line.removeprefix("#") for line in lines))
    assert found.mistakes == found.unfit == []
    assert found.settings == read_settings({"CLAUDE_PROXY_CONFIG": str(found.file.path)})
    assert {"port", "demo", "keep"} <= set(found.origins)
