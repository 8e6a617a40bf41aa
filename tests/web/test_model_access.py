"""Which models may answer in the place of another, for whom, and what a client is told of it."""

from __future__ import annotations

import time

import hermetic
import pytest

from app.backend import PlanStatus, Window
from app.config_reading import read_settings
from app.errors import PlanLimit
from app.keys.file import KeyFile
from app.keys.terms import Terms
from app.web import sse
from app.web.state import state

CONFIG = """
reserve = "20%"

[models.opus]
fallback = ["Claude Sonnet 4.5", "opus-max", "haiku"]

[models.claude-opus-4-6]
fallback = ["claude-opus-4-5"]

[agents.house]
model = "opus"
keys = ["anyone"]
fallback = ["haiku"]

[agents.guest]
model = "opus"
keys = ["anyone"]

[agents.house-latest]
model = "haiku"
keys = ["anyone"]
system = "Say little."
"""
WHOLE = ("opus", "claude-sonnet-4-5", "haiku")
QUESTION = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def served(tmp_path, front):
    """Give an application with the configuration above, and a function that asks it by a key of these terms."""
    (tmp_path / "config.toml").write_text(CONFIG)
    settings = read_settings(hermetic.environment(tmp_path, CLAUDE_PROXY_CONFIG=str(tmp_path / "config.toml")))
    settings.state_dir.mkdir()
    application = front(settings)

    def ask(model, *, stream=False, **terms):
        (settings.state_dir / "keys.json").unlink(missing_ok=True)
        secret = KeyFile(settings.state_dir).add("phone", Terms(**terms))
        body = {**QUESTION, "model": model, "stream": stream}
        headers = {"Authorization": f"Bearer {secret}"}
        return application.test_client().post("/v1/chat/completions", json=body, headers=headers)

    ask.app = application
    return ask


def asked(backend):
    """Return the model that was asked last, and those that might have answered in its place."""
    conversation, _ = backend.asked[-1]
    return (conversation.model, *conversation.fallback)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("opus", WHOLE),
        ("claude-opus-4", WHOLE),
        ("claude-opus-4-5", ("claude-opus-4-5", "claude-sonnet-4-5", "opus", "haiku")),
        ("claude-opus-4-6", ("claude-opus-4-6", "claude-opus-4-5")),
        ("sonnet", ("sonnet",)),
        ("house", ("opus", "haiku")),
        ("guest", WHOLE),
    ],
)
def test_rows(served, backend, model, expected):
    """An agent's row comes before its model's, a model's before its family's; none names the model itself."""
    served(model).close()
    assert asked(backend) == expected


def test_terms(served, backend):
    """What a key may not use does not answer it in another's place either."""
    served("opus", models=("opus", "haiku")).close()
    assert asked(backend) == ("opus", "haiku")
    served("opus", models=("opus",)).close()
    assert asked(backend) == ("opus",)


def test_terms_that_name_an_agent(served, backend):
    """A key of an agent alone has that agent; once it is gone from the table, not the default model in its place."""
    served("house", models=("house",)).close()
    assert asked(backend) == ("opus",)
    for name in ("cellar", "gpt-4o"):
        with served(name, models=("house", "cellar", "gpt-4o")) as response:
            assert (response.status_code, response.json["error"]["code"]) == (403, "model_not_allowed")
    assert len(backend.asked) == 1


def test_full_names_in_terms(served, backend):
    """A model that is named in full may be asked for by that name, whatever stands for it today."""
    served("claude-opus-4", models=("claude-opus-4",)).close()
    assert asked(backend)[0] == "opus"


def test_an_agent_with_a_word_of_models(served, backend):
    """An agent is asked for by its whole name, also where it ends as a model's may, and no other is meant."""
    for name in ("house-latest", "claude-max/House-Latest"):
        served(name, models=("house-latest",)).close()
        conversation, _ = backend.asked[-1]
        assert conversation.model == "haiku"
        assert conversation.system == "Say little."


def test_reserve(served, backend):
    """Nor does a model of which the rest is reserved for others."""
    window = Window(90.0, time.time() + 3600, None, time.time())
    backend.tell(plan=PlanStatus({"seven_day_sonnet": window}, []))
    served("opus").close()
    assert asked(backend) == ("opus", "haiku")


@pytest.mark.parametrize("stream", [False, True])
def test_admission(served, backend, monkeypatch, stream):
    """A model whose window is known to be closed is not asked, and who asks for it is told which one is."""
    monkeypatch.setattr(backend, "admit", lambda *models: models[1:])
    with served("opus", stream=stream) as response:
        assert response.headers["x-proxy-fallback"] == "opus -> claude-sonnet-4-5"
        assert b"Hello" in response.data
    assert asked(backend) == ("claude-sonnet-4-5", "haiku")
    (summary,) = state(served.app).history.turns()
    assert (summary.asked, summary.instead_of, summary.model) == ("opus", "opus", "claude-fake-1")


def test_nothing_is_said_of_the_model_itself(served, backend):
    """Where the model that was meant answers, there is no header."""
    with served("opus") as response:
        assert "x-proxy-fallback" not in response.headers


def test_refusal(served, backend):
    """Where none is admitted, none is asked."""
    backend.refusal = PlanLimit("Used up.", falls_back=True)
    with served("opus") as response:
        assert (response.status_code, response.headers.get("x-proxy-fallback")) == (429, None)
    assert backend.turns == []


def test_late_stream(served, backend, monkeypatch):
    """A stream that had to begin before any model did says which one is asked, and stays with it."""
    monkeypatch.setattr(sse, "LONG_GRACE_SECONDS", 0)
    monkeypatch.setattr(backend, "admit", lambda *models: models[1:])
    plain = backend.run

    def run(*arguments, **options):
        turn = plain(*arguments, **options)
        begun = iter(turn)

        def batches():
            yield []
            assert turn.stays
            yield from begun

        monkeypatch.setattr(type(turn), "__iter__", lambda _: batches())
        return turn

    monkeypatch.setattr(backend, "run", run)
    with served("opus", stream=True) as response:
        chunks = response.data
    assert b"Hello" in chunks
    assert chunks.count(b'"model":"claude-sonnet-4-5"') == chunks.count(b'"model"')
