"""claude-max-api config: what it prints is valid in the client's own format, and points at this server."""

from __future__ import annotations

import contextlib
import http.server
import json
import shlex
import threading
import time

import hermetic
import pytest
import yaml
from click.testing import CliRunner
from server import free_port

from app.client_configs import CLIENTS
from app.console import main
from app.models import STABLE_IDS

KEY = 'sk-"1'  # a quotation mark, which each format wants to be written in its own way


@pytest.fixture
def config(tmp_path):
    """Give a function that runs `config` where no server listens; keyword arguments are environment variables."""

    def run(*args, **env):
        given = hermetic.environment(tmp_path, **{"PORT": str(free_port()), **env})
        return CliRunner().invoke(main, ["config", *args], env=given)

    return run


@pytest.fixture
def printed(config):
    """Give a function that returns what is printed for a client of a server on port 4321."""

    def run(client, *args):
        result = config(client, "--key", KEY, *args, PORT="4321")
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def answering():
    """Give a function that starts a server answering every request alike, and returns its port."""
    servers = []

    def start(body, *, status=200, delay=0.0):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                start.asked = (self.path, self.headers["Authorization"])
                time.sleep(delay)
                self.send_response(status)
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return str(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def without_comments(text, mark):
    """Return a text without its lines of comment; nothing else in it makes JSON5 more than JSON."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(mark))


def test_openclaw(printed):
    """OpenClaw's is JSON behind lines of comment, which JSON5 allows: a provider with every model, and one chosen."""
    settings = json.loads(without_comments(printed("openclaw"), "//"))
    provider = settings["models"]["providers"]["claude-max"]
    assert provider["baseUrl"] == "http://127.0.0.1:4321/v1"
    assert provider["apiKey"] == KEY
    assert provider["api"] == "openai-completions"
    assert tuple(model["id"] for model in provider["models"]) == STABLE_IDS
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
    words = shlex.split(printed("openai"), comments=True)
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
    lines = without_comments(printed("open-webui"), "#").splitlines()
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
    """Cline's is one command, with what its editor extension asks for as comments."""
    words = shlex.split(printed("cline"), comments=True)
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


@pytest.mark.parametrize("client", CLIENTS)
def test_defaults(config, client):
    """Without options it says that no server answers, lists what always works, and holds a placeholder for the key."""
    result = config(client, PORT="4321")
    assert result.exit_code == 0
    assert "No server answers at http://127.0.0.1:4321/v1" in result.stderr
    assert "http://127.0.0.1:4321/v1" in result.stdout
    assert "not-needed" in result.stdout
    assert result.stdout.endswith("\n")
    assert max(map(len, result.stdout.splitlines())) < 160


@pytest.mark.parametrize(
    ("env", "args", "url"),
    [
        ({"PORT": "4321"}, [], "http://127.0.0.1:4321/v1"),
        ({"PORT": "4321", "HOST": "::1"}, [], "http://[::1]:4321/v1"),
        ({"PORT": "4321", "HOST": "localhost"}, [], "http://127.0.0.1:4321/v1"),
        ({}, ["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9/v1"),
        ({}, ["--url", "http://127.0.0.1:9/v1/"], "http://127.0.0.1:9/v1"),
        ({}, ["--url", "http://127.0.0.1:9/claude/"], "http://127.0.0.1:9/claude/v1"),
        ({"HOST": "0.0.0.0"}, ["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9/v1"),
    ],
)
def test_url(config, env, args, url):
    """The base URL is HOST's and PORT's, or the one that is given, with or without its /v1."""
    assert yaml.safe_load(config("aider", *args, **env).stdout)["openai-api-base"] == url


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["emacs"], "is not one of"),
        (["aider", "--url", "ftp://127.0.0.1"], "an address such as"),
        (["aider", "--url", "file:///etc/passwd"], "an address such as"),
        (["aider", "--url", "http://a b"], "an address such as"),
        (["aider", "--key", "two words"], "printable characters"),
        (["aider", "--key", "a\nb"], "printable characters"),
        (["aider", "--key", ""], "printable characters"),
    ],
)
def test_refused(config, args, said):
    """What cannot be a client, an address or a key is refused before anything is asked or printed."""
    result = config(*args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_bad_setting(config):
    """A setting that stops the server is named here too."""
    result = config("aider", HOST="0.0.0.0")
    assert result.exit_code == 1
    assert "HOST=0.0.0.0" in result.stderr


def test_running_server(config, server):
    """A running server is asked for its models, with their names."""
    result = config("openclaw", PORT=str(server.port))
    assert result.stderr == ""
    (provider,) = json.loads(without_comments(result.stdout, "//"))["models"]["providers"].values()
    ids = [model["id"] for model in provider["models"]]
    assert ids[:3] == list(STABLE_IDS)
    assert len(ids) > 3
    assert any(model["name"] != model["id"] for model in provider["models"])


def test_key_is_sent(config, answering):
    """The key is shown to the server, which may want one for its list."""
    port = answering(b'{"data": [{"id": "claude-fable-1", "object": "model"}]}')
    result = config("aider", "--key", "sk-1", PORT=port)
    assert answering.asked == ("/v1/models", "Bearer sk-1")
    assert yaml.safe_load(result.stdout)["model"] == "openai/claude-fable-1"
    assert yaml.safe_load(result.stdout)["weak-model"] == "openai/claude-fable-1"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 200),
        (b"[]", 200),
        (b'{"data": []}', 200),
        (b'{"data": [{"id": 1}]}', 200),
        (b'{"data": [{"id": "a\\nb"}, {"id": "$(x)"}]}', 200),
        (b'{"data": [{"id": "claude-fable-1"}]}', 500),
        (b"\xff", 200),
    ],
)
def test_strange_server(config, answering, body, status):
    """From a server that gives no usable list, nothing is taken."""
    result = config("llm", PORT=answering(body, status=status))
    assert [model["model_name"] for model in yaml.safe_load(result.stdout)] == list(STABLE_IDS)


def test_key_that_is_refused(config, answering):
    """From a server that asks for another key there is no configuration, but a word on where to get one."""
    result = config("openai", PORT=answering(b"{}", status=401))
    assert result.exit_code == 1
    assert "asks for an API key" in result.stderr
    assert "OPENAI" not in result.stdout
    assert config("openai", PORT=answering(b"{}"), CLAUDE_PROXY_API_KEY="sk-2").exit_code == 0
    assert answering.asked == ("/v1/models", "Bearer sk-2")


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_every_address_is_none(config, host, shown):
    """A server that listens to all of a machine's addresses is called by one of them."""
    result = config("openai", HOST=host, PORT="3999", CLAUDE_PROXY_API_KEYS=f"one:{'k' * 16}")
    assert f"http://{shown}:3999/v1" in result.stdout


def test_slow_server(config, answering):
    """A server that does not answer within a second is not waited for."""
    port = answering(b'{"data": [{"id": "claude-fable-1"}]}', delay=2)
    begin = time.monotonic()
    assert "No server answers" in config("openai", PORT=port).stderr
    assert time.monotonic() - begin < 2


def test_proxies_are_for_the_outside(config, answering):
    """A proxy in the environment is not asked for this machine's server."""
    port = answering(b'{"data": [{"id": "claude-fable-1"}]}')
    result = config("openai", PORT=port, http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert "claude-fable-1" in result.stdout
