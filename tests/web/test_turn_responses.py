"""A turn becomes a response, and its slot and process come back however the response ends."""

from __future__ import annotations

import json
import time

import hermetic
import pytest
from server import until

from app.claude.cli.incoming import RateLimitInfo
from app.config_reading import read_settings
from app.web import sse
from app.web.state import state


@pytest.fixture
def idle(app):
    """Give a function that fails unless every slot and every process has come back, kept ones aside."""

    def check():
        pool = state(app).backend
        until(
            lambda: (
                pool.slots.running == 0
                and len(pool.processes.registry) == pool.processes.shelf.idle
                and not pool._turns
            ),
            5,
            "idle",
        )

    return check


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("command", ["answer", "crash", "crash-before", "garbage", "unknown", "sub-agent", "split"])
def test_everything_comes_back(ask, idle, command, stream):
    """Whatever the CLI does, nothing is left behind."""
    response = ask(command, stream=stream)
    assert response.data
    response.close()
    idle()


def test_unread_stream(ask, idle):
    """A stream that nobody reads is ended when the response is closed."""
    response = ask("hang", stream=True)
    response.close()
    idle()


def test_half_read_stream(ask, idle):
    """A stream that is left in its middle is ended."""
    response = ask("hang", stream=True)
    parts = response.iter_encoded()
    assert b'"role":"assistant"' in next(parts)
    response.close()
    idle()


@pytest.mark.parametrize(("grace", "asked"), [(20.0, 2), (0.1, 1)])
def test_fallback_until_the_headers(make_app, tmp_path, monkeypatch, grace, asked):
    """Another model is asked as long as the headers can say so, and never after them."""
    (tmp_path / "config.toml").write_text('[models.sonnet]\nfallback = ["haiku"]')
    app = make_app(CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"), CLAUDE_PROXY_KEEP="0")
    monkeypatch.setattr(sse, "LONG_GRACE_SECONDS", grace)
    body = {"model": "sonnet", "stream": True, "messages": [{"role": "user", "content": "overloaded 2"}]}
    with app.test_client().post("/v1/chat/completions", json=body) as response:
        assert b'"code":"overloaded"' in response.data
        assert "x-proxy-fallback" not in response.headers
    assert state(app).backend.processes.registry.starts["request"] == asked


@pytest.mark.parametrize("stream", [False, True])
def test_ignored(ask, stream):
    """Parameters without effect are named in one header."""
    response = ask("answer", stream=stream, seed=1, temperature=0.5)
    names = set(response.headers["x-proxy-ignored"].split(", "))
    response.close()
    assert {"seed", "temperature"} >= names > set()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["line\nbreak", "x\r\nSet-Cookie: a=b", "größe", "🙂", "", "x" * 100_000, "a, b"])
def test_odd_names(ask, idle, name, stream):
    """A parameter whose name no header can carry harms nobody: the answer comes, and nothing is left behind."""
    response = ask("answer", stream=stream, **{name: 1})
    assert response.status_code == 200
    assert b"world." in response.data
    response.close()
    named = response.headers.get("x-proxy-ignored", "")
    assert named.isascii()
    assert named.isprintable()
    assert len(named) < 4000
    idle()


def test_very_many_names(ask):
    """However many parameters are sent, the header stays one that clients read."""
    response = ask("answer", **{f"parameter_{number}": 1 for number in range(5000)})
    assert response.status_code == 200
    assert len(response.headers["x-proxy-ignored"]) < 4000


def test_error_before_the_first_event(ask):
    """A turn that fails at once has its own status, streamed or not."""
    for stream in (False, True):
        response = ask("crash-before", stream=stream)
        assert (response.status_code, response.json["error"]["code"]) == (502, "cli_exited")


def test_error_after_the_first_event(ask):
    """A stream that fails later ends with the error and without an end mark."""
    response = ask("crash", stream=True)
    *_, last, rest = response.data.decode().split("\n\n")
    assert rest == ""
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "cli_exited"
    response.close()


@pytest.mark.parametrize("stream", [False, True])
def test_used_up_plan(ask, app, stream):
    """Where the plan is known to be used up no process starts; a request of several turns may be the probe."""
    pool = state(app).backend
    pool.processes.plan.refused(RateLimitInfo("rejected", time.time() + 60, "five_hour"), "sonnet", "Used up.")
    pool.processes.plan._probe = 600.0
    refused = ask("answer", stream=stream, n=2)
    assert (refused.status_code, refused.json["error"]["message"]) == (429, "Used up.")
    assert 50 < int(refused.headers["Retry-After"]) <= 60
    assert pool.processes.registry.starts == {}
    pool.processes.plan._tried["five_hour", "all"] -= 600
    response = ask("answer", stream=stream, n=2)
    assert response.status_code == 200
    assert b"Hello" in response.data
    response.close()
    assert pool.processes.plan.limits == []


def test_names_in_a_header(ask):
    """Whatever a client names its fields, the header stays one short line of ASCII, each name in it once."""
    odd = {"a\r\nSet-Cookie: b": 1, "größe": 1, "": 1, "x" * 1000: 1, "x" * 999: 1, "a, b": 1}
    told = ask("answer", **odd).headers["x-proxy-ignored"].split(", ")
    assert sorted(told) == sorted(("a??Set-Cookie??b", "gr??e", "x" * 64, "a??b"))
    many = ask("answer", **{f"field_{number}": 1 for number in range(500)}).headers["x-proxy-ignored"]
    assert many.count(",") == 39


def test_a_folder_with_letters_of_its_own(tmp_path, front, backend):
    """A folder in the header is read as clients write it, in UTF-8."""
    (tmp_path / "notes" / "gärten").mkdir(parents=True)
    row = '[agents.notes]\nmodel = "haiku"\nworkspace = "notes"\ntools = ["Read"]\nfolders = true\nkeys = "anyone"\n'
    (tmp_path / "config.toml").write_text(row)
    app = front(read_settings(hermetic.environment(tmp_path, CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"))))
    sent = "gärten".encode().decode("latin-1")
    body = {"model": "notes", "messages": [{"role": "user", "content": "Hi"}]}
    app.test_client().post("/v1/chat/completions", json=body, environ_overrides={"HTTP_X_PROXY_FOLDER": sent}).close()
    conversation, _ = backend.asked[-1]
    assert conversation.workplace.folder == str(tmp_path / "notes" / "gärten")


def test_two_folders(tmp_path, front, backend):
    """A request that names one folder in its header and another in its body is not worked on in either of them."""
    for name in ("garden", "house"):
        (tmp_path / "notes" / name).mkdir(parents=True)
    row = '[agents.notes]\nmodel = "haiku"\nworkspace = "notes"\ntools = ["Read"]\nfolders = true\nkeys = "anyone"\n'
    (tmp_path / "config.toml").write_text(row)
    app = front(read_settings(hermetic.environment(tmp_path, CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml"))))

    def ask(model, folder):
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "metadata": {"folder": folder}}
        return app.test_client().post("/v1/chat/completions", json=body, headers={"X-Proxy-Folder": "garden"})

    refused = ask("notes", "house")
    assert (refused.status_code, refused.json["error"]["param"]) == (400, "metadata.folder")
    assert backend.asked == []
    assert ask("notes", "garden").status_code == 200
    # For a model they mean nothing.
    assert ask("haiku", "house").status_code == 200
