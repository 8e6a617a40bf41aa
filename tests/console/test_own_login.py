"""A key for the login of this machine, as `claude` tells it."""

from __future__ import annotations

import json

import pytest

from app.claude.cli.payer import details_of, login_digest

ACCOUNT = {"loggedIn": True, "authMethod": "claude.ai", "email": "ann@example.org", "orgName": "Ann's"}


def test_this(key, file, script):
    """`this` stands for the digest, which is what is kept and listed."""
    binary = script(f"echo '{json.dumps(ACCOUNT).replace(chr(39), '')}'")
    digest = login_digest(details_of({**ACCOUNT, "orgName": "Anns"}))
    assert key("add", "ann", "--login", "this", CLAUDE_BIN=binary).exit_code == 0
    assert key("add", "bob").exit_code == 0
    assert f"login {digest}" in key("set", "bob", "--login", "this", CLAUDE_BIN=binary).stderr
    assert [kept.terms.login for kept in file.read()] == [digest, digest]
    assert f"login {digest}" in key("list").stdout
    assert [one["terms"] for one in json.loads(key("list", "--json").stdout)] == [{"login": digest}] * 2
    assert key("set", "bob", "--no-login").exit_code == 0
    assert file.read()[1].terms.login is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"loggedIn": True, "authMethod": "oauth_token"}, "names no account"),
        ({"loggedIn": False}, "not logged in"),
        ("nonsense", "gave no answer"),
    ],
)
def test_no_account(key, file, script, answer, said):
    """Where there is no account, no key is made, in words."""
    result = key("add", "ann", "--login", "this", CLAUDE_BIN=script(f"echo '{json.dumps(answer)}'"))
    assert result.exit_code == 1
    assert said in result.stderr
    assert not file.read()
