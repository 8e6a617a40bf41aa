"""Each client's configuration is valid in the client's own format, and points at this server."""

from __future__ import annotations

import json
import shlex

import hermetic
import pytest
import yaml
from click.testing import CliRunner

from app.console import main
from app.models import STABLE_IDS

KEY = 'sk-"1'  # a quotation mark, which each format wants to be written in its own way


@pytest.fixture
def printed(tmp_path):
    """Give a function that returns what is printed for a client of a server on port 4321."""

    def run(client, *args):
        env = hermetic.environment(tmp_path, PORT="4321")
        result = CliRunner().invoke(main, ["config", client, "--key", KEY, *args], env=env)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_openclaw(printed):
    """OpenClaw's is JSON, as `jq` reads it: a provider with every model, and one chosen."""
    settings = json.loads(printed("openclaw"))
    provider = settings["models"]["providers"]["claude-max"]
    assert provider["baseUrl"] == "http://127.0.0.1:4321/v1"
    assert provider["apiKey"] == KEY
    assert provider["api"] == "openai-completions"
    assert tuple(model["id"] for model in provider["models"]) == STABLE_IDS
    assert [model["name"] for model in provider["models"]] == ["Opus, newest", "Sonnet, newest", "Haiku, newest"]
    assert provider["models"][0]["compat"]["supportsPromptCacheKey"] is True
    assert settings["agents"]["defaults"]["model"]["primary"] == "claude-max/claude-sonnet-4"


def test_continue(printed):
    """Continue's is YAML with its three required keys, and the preferred model first, where Continue begins."""
    settings = yaml.safe_load(printed("continue"))
    assert settings["schema"] == "v1"
    assert {"name", "version"} < set(settings)
    assert [model["model"] for model in settings["models"]] == ["claude-sonnet-4", "claude-opus-4", "claude-haiku-4"]
    for model in settings["models"]:
        assert (model["provider"], model["apiBase"]) == ("openai", "http://127.0.0.1:4321/v1")
        assert model["apiKey"] == KEY
        assert "tool_use" in model["capabilities"]


def test_openai(printed):
    """The OpenAI libraries' are lines for a shell."""
    words = shlex.split(printed("openai"))
    assert words == [
        "export",
        "OPENAI_BASE_URL=http://127.0.0.1:4321/v1",
        "export",
        f"OPENAI_API_KEY={KEY}",
    ]


def test_aider(printed):
    """aider's is YAML with its options, and models behind the prefix that makes it speak the OpenAI protocol."""
    settings = yaml.safe_load(printed("aider"))
    assert settings["openai-api-base"] == "http://127.0.0.1:4321/v1"
    assert settings["openai-api-key"] == KEY
    assert (settings["model"], settings["weak-model"]) == ("openai/claude-sonnet-4", "openai/claude-haiku-4")
    assert settings["show-model-warnings"] is False


def test_open_webui(printed):
    """Open WebUI's are lines as `docker run --env-file` takes them: no quotes, no export."""
    lines = printed("open-webui").splitlines()
    assert dict(line.split("=", 1) for line in lines) == {
        "OPENAI_API_BASE_URL": "http://127.0.0.1:4321/v1",
        "OPENAI_API_KEY": KEY,
        "ENABLE_OLLAMA_API": "false",
        "TASK_MODEL_EXTERNAL": "claude-haiku-4",
    }


def test_librechat(printed):
    """LibreChat's is YAML with one custom endpoint, and leave to call this machine."""
    settings = yaml.safe_load(printed("librechat"))
    assert isinstance(settings["version"], str)
    assert settings["endpoints"]["allowedAddresses"] == ["127.0.0.1:4321"]
    (endpoint,) = settings["endpoints"]["custom"]
    assert (endpoint["baseURL"], endpoint["apiKey"]) == ("http://127.0.0.1:4321/v1", KEY)
    assert endpoint["models"] == {"default": list(STABLE_IDS), "fetch": True}
    assert endpoint["titleModel"] == "claude-haiku-4"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://[::1]:80", ["[::1]:80"]),
        ("https://claude.lan", ["claude.lan:443"]),
        ("http://192.168.1.2", ["192.168.1.2:80"]),
        ("https://8.8.8.8", None),
    ],
)
def test_librechat_elsewhere(printed, url, allowed):
    """Names and private addresses are allowed with their port; LibreChat takes no public address there."""
    assert yaml.safe_load(printed("librechat", "--url", url))["endpoints"].get("allowedAddresses") == allowed


def test_cline(printed):
    """Cline's is one command, and on standard error what its editor extension asks for."""
    words = shlex.split(printed("cline"))
    assert words[:2] == ["cline", "auth"]
    assert dict(zip(words[2::2], words[3::2], strict=True)) == {
        "--provider": "openai-compatible",
        "--apikey": KEY,
        "--modelid": "claude-sonnet-4",
        "--baseurl": "http://127.0.0.1:4321/v1",
    }


def test_llm(printed):
    """llm's is YAML: a list of models, none of which hides one that llm has already."""
    models = yaml.safe_load(printed("llm"))
    assert [model["model_name"] for model in models] == list(STABLE_IDS)
    for model in models:
        assert model["model_id"] == f"claude-max/{model['model_name']}"
        assert model["api_base"] == "http://127.0.0.1:4321/v1"
        assert model["headers"] == {"Authorization": f"Bearer {KEY}"}
        assert model["supports_tools"] is True


def test_ollama(printed):
    """Ollama's clients get the address without /v1, and the key that they send as a bearer."""
    lines = printed("ollama").splitlines()
    assert lines == ["export OLLAMA_HOST=http://127.0.0.1:4321", f"export OLLAMA_API_KEY={shlex.quote(KEY)}"]
