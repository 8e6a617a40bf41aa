"""Credentials are taken out of what is kept."""

from __future__ import annotations

import json

import pytest

from app.captures.redaction import Redaction, of_arguments, of_environ

KNOWN = 'pass"word\\with escapes'


@pytest.mark.parametrize(
    "text",
    [
        f"before {KNOWN} after",
        json.dumps({"said": KNOWN}),
        "sk-ant-oat01-abcDEF_123-456789",
        '"apiKey":"sk-proj-0123456789abcdefghij"',
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "Authorization: Bearer abcdefgh12345678",
    ],
)
def test_gone(text: str) -> None:
    """What is known goes, as it is or as JSON has it, and so does what has the shape of a credential."""
    cleaned = Redaction([KNOWN, "short"]).clean(text.encode()).decode()
    assert "[credential]" in cleaned
    for part in ("pass", "escapes", "abc", "0123", "eyJ", "c2lnb"):
        assert part not in cleaned


def test_stays() -> None:
    """Other words stay, also where a credential is too short to be told from one."""
    assert Redaction(["a"]).clean(b"a sk-learn bearer of a token") == b"a sk-learn bearer of a token"


def test_long_texts() -> None:
    """Text that begins like a token again and again takes no longer than any other, and what follows it goes."""
    text = b"eyJ" * 200_000
    assert Redaction([]).clean(text) == text
    assert Redaction([]).clean(text + b" sk-ant-oat01-abcDEF_123-456789") == text + b" [credential]"


def test_the_longer_first() -> None:
    """Nothing is left of a credential that begins with another."""
    assert Redaction(["secret", "secret-tail"]).clean(b"secret-tail") == b"[credential]"


def test_of_environ() -> None:
    """Tokens, keys and a proxy's password are credentials; a home and a number of tokens are none."""
    found = of_environ(
        {
            "HOME": "/home/ann",
            "MAX_THINKING_TOKENS": "100000",
            "CLAUDE_CODE_OAUTH_TOKEN": "t-1",
            "MY_API_KEY": "k-1",
            "HTTPS_PROXY": "http://ann:pw-1@proxy:8080",
            "DB_PASSWORD": "",
        }
    )
    assert found == {"t-1", "k-1", "ann:pw-1", "pw-1"}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["mcp-home", "--token", "t-1"], {"t-1"}),
        (["mcp-home", "--api-key=t-1", "--port=8080"], {"t-1"}),
        (["run", "-e", "HA_TOKEN=t-1", "home"], {"t-1"}),
        (["--header", "Authorization: Basic t-1"], {"Basic t-1", "t-1"}),
        (["https://ann:pw-1@mcp.example/s/t-1"], {"https://ann:pw-1@mcp.example/s/t-1", "ann:pw-1", "pw-1"}),
        (["--max-tokens", "100000", "--no-token", "--verbose", "home"], set()),
    ],
)
def test_of_arguments(arguments: list[str], found: set[str]) -> None:
    """What a program is told as a token, key or password is a credential, and so is an address, which may hold one."""
    assert of_arguments(arguments) == found


def test_escaped_slashes():
    """A credential is found where JSON has its slashes escaped, as PHP writes them."""
    assert Redaction(["abc/def+ghi="]).clean(b'{"api_key":"abc\\/def+ghi="}') == b'{"api_key":"[credential]"}'
