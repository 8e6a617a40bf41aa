"""Who pays, by the words of `initialize` and `claude auth status` (2.1.332)."""

from __future__ import annotations

import pytest

from app.claude.cli.payer import details_of, login_digest, payer


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN", "apiProvider": "firstParty"}, "plan"),
        ({"loggedIn": True, "authMethod": "oauth_token", "apiProvider": "firstParty"}, "plan"),
        ({"loggedIn": True, "authMethod": "claude.ai", "subscriptionType": "max"}, "plan"),
        (
            {
                "tokenSource": "CLAUDE_CODE_OAUTH_TOKEN",
                "apiKeySource": "ANTHROPIC_API_KEY",
                "apiProvider": "firstParty",
            },
            "api key",
        ),
        ({"authMethod": "api_key", "apiProvider": "firstParty", "apiKeySource": "ANTHROPIC_API_KEY"}, "api key"),
        ({"authMethod": "api_key_helper"}, "api key"),
        ({"tokenSource": "ANTHROPIC_AUTH_TOKEN"}, "token of ANTHROPIC_AUTH_TOKEN"),
        ({"authMethod": "third_party", "apiProvider": "bedrock"}, "Bedrock"),
        ({"apiProvider": "vertex"}, "Vertex"),
        ({"apiProvider": "foundry"}, "Foundry"),
        ({"apiProvider": "gateway"}, "gateway"),
    ],
)
def test_payer(told, expected):
    """An API key goes before a plan's login, and another provider before both, as in the CLI."""
    assert payer(details_of(told)) == expected


@pytest.mark.parametrize("told", [None, "plan", {"apiProvider": 3}])
def test_not_understood(told):
    """What is not understood is no account, and not a plan."""
    assert details_of(told) is None


def test_digest():
    """It is the same in the words of `initialize` and of `auth status`, and another for each account."""
    opened = {
        "email": "Me@example.org",
        "organization": "Mine",
        "tokenSource": "claude.ai",
        "apiProvider": "firstParty",
    }
    asked = {"loggedIn": True, "authMethod": "claude.ai", "email": "me@example.org", "orgName": "Mine", "orgId": "1"}
    digest = login_digest(details_of(opened))
    assert digest == login_digest(details_of(asked))
    assert len(digest) == 16
    assert "me" not in digest
    others = ({**opened, "email": "you@example.org"}, {**opened, "organization": "Ours"})
    assert digest not in {login_digest(details_of(other)) for other in others}


@pytest.mark.parametrize(
    "told",
    [
        {"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN", "apiProvider": "firstParty"},
        {"email": "me@example.org", "apiKeySource": "ANTHROPIC_API_KEY"},
    ],
)
def test_no_digest(told):
    """A token names no account, and what no plan pays for has no windows."""
    assert login_digest(details_of(told)) is None
