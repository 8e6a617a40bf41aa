"""Model names: what clients ask for, what the CLI is given, what is listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import STABLE_IDS, Catalogue, CliModel, Limits, spoken

REPORTED = (
    CliModel("default", "claude-sonnet-5-5", "Default (recommended)", "Sonnet 5.5"),
    CliModel("opus", "claude-opus-5", "Opus", "Most capable"),
    CliModel("fable", "claude-fable-1", "Fable"),
    CliModel("sonnet", "claude-sonnet-5-5", "Sonnet"),
    CliModel("haiku", None, "Haiku"),
)


@pytest.fixture
def catalogue():
    catalogue = Catalogue()
    catalogue.update(REPORTED)
    return catalogue


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("opus", "opus"),
        (" Sonnet ", "sonnet"),
        ("haiku", "haiku"),
        ("opus-max", "opus"),
        ("claude-opus-4", "opus"),
        ("claude-sonnet-4", "sonnet"),
        ("claude-code-cli/claude-haiku-4", "haiku"),
        ("claude-max/claude-opus-4-6", "claude-opus-4-6"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1-20250805"),
        ("claude-opus-4-6@20260101", "claude-opus-4-6-20260101"),
        ("sonnet[1m]", "sonnet[1m]"),
        ("claude-sonnet-4[1m]", "sonnet[1m]"),
        ("claude-opus-4-6[1m]", "claude-opus-4-6[1m]"),
        ("fable", "fable"),
        ("claude-fable-2", "fable"),
        ("default", "opus"),
        ("gpt-5.4", "opus"),
        ("o3", "opus"),
        ("claude-", "opus"),
        ("claude-opus; rm", "opus"),
        ("--model", "opus"),
        ("🙂", "opus"),
    ],
)
def test_resolve(catalogue, name, model):
    """Aliases, families, full names and long contexts reach the CLI; a stranger's name means the default."""
    assert catalogue.resolve(name, "opus") == model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        # OpenRouter
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("openrouter/anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("anthropic/claude-3.7-sonnet", "claude-3-7-sonnet"),
        ("anthropic/claude-3.7-sonnet:thinking", "claude-3-7-sonnet"),
        ("anthropic/claude-sonnet-4:beta", "sonnet"),
        ("anthropic/claude-sonnet-4.5:1m", "claude-sonnet-4-5[1m]"),
        ("anthropic/sonnet", "sonnet"),
        # Cursor, and people
        ("claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-4.5-sonnet", "claude-sonnet-4-5"),
        ("claude-4.5-sonnet-thinking", "claude-sonnet-4-5"),
        ("claude-4-sonnet", "sonnet"),
        ("claude-4-sonnet-1m", "sonnet[1m]"),
        ("claude-4-5-haiku", "claude-haiku-4-5"),
        ("Claude Sonnet 4.5", "claude-sonnet-4-5"),
        ("CLAUDE-OPUS-4.6", "claude-opus-4-6"),
        ("sonnet-4.5", "claude-sonnet-4-5"),
        ("opus-4", "opus"),
        ("claude-sonnet", "sonnet"),
        ("claude-sonnet-4.5[1m]", "claude-sonnet-4-5[1m]"),
        ("claude-sonnet-4.5-20250929", "claude-sonnet-4-5-20250929"),
        ("claude-fable-5.2", "claude-fable-5-2"),
        # Anthropic's own, dated and not
        ("claude-sonnet-4-5-latest", "claude-sonnet-4-5"),
        ("claude-opus-latest", "opus"),
        ("sonnet-latest", "sonnet"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet-latest"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-20250514"),
        # Bedrock and Vertex AI
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("bedrock/global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic.claude-3-sonnet-20240229-v1:0:200k", "claude-3-sonnet-20240229"),
        ("vertex_ai/claude-opus-4-1@20250805", "claude-opus-4-1-20250805"),
        ("claude-opus-4-6@default", "claude-opus-4-6"),
        # No way of writing a name: the API will not know it
        ("claude-sonnet-4-5-turbo", "claude-sonnet-4-5-turbo"),
        ("claude-2.1", "claude-2.1"),
        ("claude-instant-v1", "claude-instant-v1"),
        ("claude-nova-9.5", "claude-nova-9-5"),
        # Not Claude's at all
        ("openai/gpt-5.4", "opus"),
        ("gpt-4.1:thinking", "opus"),
        ("mistral/claudette", "opus"),
    ],
)
def test_spellings(catalogue, name, model):
    """A name of Claude's is known however a client writes it; one that nobody has stays what it is."""
    assert catalogue.resolve(name, "opus") == model


@pytest.mark.parametrize(
    ("default", "model"),
    [
        ("sonnet", "sonnet"),
        ("claude-opus-4", "opus"),
        ("claude-max/haiku", "haiku"),
        ("my-model", "my-model"),
        ("default", "default"),
    ],
)
def test_default(catalogue, default, model):
    """The operator's default is resolved like a client's name, and passed on when it is unknown."""
    assert catalogue.resolve("default", default) == catalogue.resolve("gpt-4o", default) == model


def test_families_before_the_cli_reported():
    """The known families work before any process has told its list; others need it."""
    assert Catalogue().resolve("claude-sonnet-4", "opus") == "sonnet"
    assert Catalogue().resolve("fable", "opus") == "opus"


@given(st.text(), st.sampled_from(["opus", "my-model"]))
def test_any_name(name, default):
    """No name escapes: what reaches the CLI is an alias, a full name or the default, without spaces or options."""
    model = Catalogue().resolve(name, default)
    assert model == default or (model.isascii() and not model.startswith("-") and " " not in model)


def test_entries(catalogue):
    """The list has the stable ids, then what the login may use, each once and in OpenAI's shape."""
    entries = catalogue.entries()
    assert [entry["id"] for entry in entries] == [
        *STABLE_IDS,
        "claude-opus-5",
        "claude-fable-1",
        "claude-sonnet-5-5",
        "haiku",
    ]
    for entry in entries:
        assert (entry["object"], entry["created"], entry["owned_by"]) == ("model", 0, "anthropic")
    assert [entry["name"] for entry in entries] == [
        *("Opus, newest", "Sonnet, newest", "Haiku, newest", "Opus 5", "Fable 1", "Sonnet 5.5", "Haiku"),
    ]
    assert [entry.get("description") for entry in entries] == [
        *("Today Opus 5", "Today Sonnet 5.5", None, "Most capable", None, None, None),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("claude-opus-5-5", "Opus 5.5"),
        ("claude-sonnet-4-5-20250929", "Sonnet 4.5"),
        ("claude-3-7-sonnet-20250219", "Sonnet 3.7"),
        ("claude-sonnet-5-5[1m]", "Sonnet 5.5 (1M context)"),
        ("claude-fable-1", "Fable 1"),
        ("claude-opus-4", "Opus, newest"),
        ("opus", None),
        ("gpt-5", None),
    ],
)
def test_spoken(name, said):
    """A model is called as people call it, where its name tells."""
    assert spoken(name) == said


@pytest.mark.parametrize(
    ("told", "description"),
    [
        ("Opus 5.5 · Best for hard work · $4/$20 per Mtok", "Best for hard work"),
        ("Opus 5.5 · $4/$20 per Mtok", None),
        ("Best for hard work · For you", "Best for hard work · For you"),
        (None, None),
    ],
)
def test_no_prices(told, description):
    """A description has neither the name once more nor the API's prices, which the CLI tells without a login."""
    catalogue = Catalogue()
    catalogue.update((CliModel("opus", "claude-opus-5-5", "Opus", told),))
    assert (catalogue.find("claude-opus-5-5") or {}).get("description") == description


def test_the_default_alone_is_listed():
    """A model that only the CLI's default entry names is listed by its own name."""
    catalogue = Catalogue()
    catalogue.update((CliModel("default", "claude-opus-5-5", "Default (recommended)", "Use the default model"),))
    found = catalogue.find("claude-opus-5-5") or {}
    assert (found["name"], "description" in found) == ("Opus 5.5", False)


@pytest.mark.parametrize(
    ("full", "known"),
    [
        ("claude-opus-5", True),
        ("claude-opus-4-1-20250805", True),
        ("claude-3-7-sonnet-20250219", True),
        ("claude-fable-1", True),
        ("claude-opus-9", False),
        ("claude-nonsense-1", False),
        ("claude-nonsense", False),
    ],
)
def test_knows(catalogue, full, known):
    """A model is known up to its family's newest version; as long as the CLI has told nothing, every one may be."""
    assert catalogue.knows(full) is known
    assert Catalogue().knows(full)


def test_find_spelt(catalogue):
    """A model is found however its name is written."""
    assert catalogue.find("anthropic/claude-fable-1:thinking")["id"] == "claude-fable-1"
    assert catalogue.find("Claude 5.5 Sonnet")["id"] == "claude-sonnet-5-5"


@pytest.mark.parametrize("name", ["claude-opus-4", "claude-opus-5", "opus", "CLAUDE-MAX/Opus", "default", "fable"])
def test_find(catalogue, name):
    """A model is found by id, alias or prefixed name."""
    assert catalogue.find(name)["id"] == name.lower().removeprefix("claude-max/")


@pytest.mark.parametrize("name", ["gpt-5.4", "", "claude-opus-9"])
def test_find_nothing(catalogue, name):
    """What this login does not have is not found."""
    assert catalogue.find(name) is None


def test_limits(catalogue):
    """What the CLI told of a model stands in its entry and in those that mean it, and nothing stands elsewhere."""
    catalogue.note({"claude-opus-5": Limits(1_000_000, 128_000), "claude-sonnet-5-5": Limits(200_000)})
    opus = {
        "context_length": 1_000_000,
        "max_model_len": 1_000_000,
        "max_completion_tokens": 128_000,
        "top_provider": {"context_length": 1_000_000, "max_completion_tokens": 128_000},
    }
    for name in ("claude-opus-4", "claude-opus-5", "opus", "claude-opus-4.6"):
        found = catalogue.find(name) or {}
        assert {key: found[key] for key in opus if key in found} == (opus if name != "claude-opus-4.6" else {})
    sonnet = catalogue.find("sonnet")
    assert (sonnet["context_length"], sonnet["top_provider"]) == (200_000, {"context_length": 200_000})
    assert "max_completion_tokens" not in sonnet
    assert not set(opus) & set(catalogue.find("fable"))
    catalogue.note({})
    assert catalogue.find("opus")["context_length"] == 1_000_000


def test_update(catalogue):
    """A newer list replaces the old one; an empty one says nothing."""
    catalogue.update(())
    assert catalogue.find("claude-fable-1")
    catalogue.update((CliModel("opus", "claude-opus-6"),))
    assert catalogue.find("claude-opus-6")
    assert catalogue.find("claude-fable-1") is None


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("opus", "opus"),
        ("opus[1m]", "opus"),
        ("claude-opus-4-6", "opus"),
        ("claude-3-5-sonnet-20241022", "sonnet"),
        ("claude-fable-5-2", "fable"),
        ("best", "opus"),
        ("default", "sonnet"),
        ("", ""),
    ],
)
def test_family(model, family):
    """A model's family is read from its name, an alias's from what the CLI reported for it."""
    catalogue = Catalogue()
    catalogue.update((CliModel("default", "claude-sonnet-5-5"), CliModel("best", "claude-opus-5-5")))
    assert catalogue.family(model) == family
