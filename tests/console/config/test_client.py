"""claude-max-api config: which server, models and key it writes into a configuration, and what it does without them."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import threading
import time

import hermetic
import pytest
import yaml
from click.testing import CliRunner
from server import free_port

from app.client_configs import CLIENTS
from app.console import main
from app.keys.file import KeyFile
from app.models import STABLE_IDS


@pytest.fixture
def config(tmp_path):
    """Give a function that runs `config` where no server listens; keyword arguments are environment variables."""

    def run(*args, **env):
        given = hermetic.environment(tmp_path, **{"PORT": str(free_port()), **env})
        return CliRunner().invoke(main, ["config", *args], env=given)

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


def test_own_tools_of_openclaw(config):
    """How Claude Code's tools are turned on for OpenClaw, and what that means, is told beside its configuration."""
    told = config("openclaw").stderr
    assert "CLAUDE_PROXY_TOOLS=all" in told and "CLAUDE_PROXY_TOOLS_FOR=NAME" in told
    assert "can then do what the server's user can do" in told


@pytest.mark.parametrize("client", CLIENTS)
def test_defaults(config, client):
    """Without options it says that no server answers, lists what always works, and holds a placeholder for the key."""
    result = config(client, PORT="4321")
    assert result.exit_code == 0
    assert "No server answers at http://127.0.0.1:4321/v1" in result.stderr
    assert "http://127.0.0.1:4321" in result.stdout
    assert "not-needed" in result.stdout
    assert result.stdout.endswith("\n")
    assert not re.search(r"^\s*(#|//)", result.stdout, re.MULTILINE)
    assert re.search(r"^For .*[a-z]", result.stderr, re.MULTILINE)
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
        (["openwebui"], "did you mean open-webui?"),
        (["OpenClaw"], "did you mean openclaw?"),
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
    assert "No server answers" not in result.stderr
    (provider,) = json.loads(result.stdout)["models"]["providers"].values()
    ids = [model["id"] for model in provider["models"]]
    assert ids[:3] == list(STABLE_IDS)
    assert len(ids) > 3
    assert any(re.fullmatch(r"Sonnet [0-9.]+", model["name"]) for model in provider["models"])


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


@pytest.mark.parametrize("where", ["environment", "file", "no key left"])
def test_keys_without_a_server(config, tmp_path, where):
    """Where a server would ask for a key and none is given, its place is held by what nobody takes for one."""
    env = {}
    file = KeyFile(tmp_path / "state")
    if where == "environment":
        env = {"CLAUDE_PROXY_API_KEYS": f"one:{'k' * 16}"}
    else:
        (tmp_path / "state").mkdir(mode=0o700)
        file.add("one")
    if where == "no key left":
        file.revoke("one")
    result = config("aider", **env)
    assert yaml.safe_load(result.stdout)["openai-api-key"] == "YOUR-KEY"
    assert "claude-max-api key add NAME" in result.stderr
    assert yaml.safe_load(config("aider", "--key", "sk-1", **env).stdout)["openai-api-key"] == "sk-1"


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
    port = answering(b'{"data": [{"id": "claude-fable-1"}]}', delay=5)
    begin = time.monotonic()
    assert "No server answers" in config("openai", PORT=port).stderr
    assert time.monotonic() - begin < 4


def test_proxies_are_for_the_outside(config, answering):
    """A proxy in the environment is not asked for this machine's server."""
    port = answering(b'{"data": [{"id": "claude-fable-1"}]}')
    result = config("openai", PORT=port, http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert "claude-fable-1" in result.stderr


def test_compose(config):
    """The compose file is YAML with this server, built here, and Open WebUI, which has its key and its name."""
    result = config("compose")
    services = yaml.safe_load(result.stdout)["services"]
    ours, theirs = services["claude"]["environment"], services["open-webui"]["environment"]
    assert ours["CLAUDE_PROXY_API_KEYS"].startswith("open-webui:${CLAUDE_PROXY_API_KEY:?")
    assert theirs["OPENAI_API_KEY"] == "${CLAUDE_PROXY_API_KEY}"
    assert theirs["OPENAI_API_BASE_URL"] == f"http://{ours['CLAUDE_PROXY_ALLOWED_HOSTS']}:3456/v1"
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
    assert "compose.yaml" in result.stderr
    assert config("container").stdout.startswith("FROM python:3")
