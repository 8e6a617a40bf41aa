"""Who pays for answers, by what the CLI says of its login; nothing here looks at a credential."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

PLAN, API_KEY, UNKNOWN = "plan", "api key", "unknown"
# The CLI's words for where it sends requests, and what people call that.
PROVIDERS = {
    "bedrock": "Bedrock",
    "vertex": "Vertex",
    "foundry": "Foundry",
    "anthropicAws": "Claude on AWS",
    "anthropicGoogleCloud": "Claude on Google Cloud",
}
# Of these tokens the plan pays; the others are for gateways, or made of an API key.
PLAN_TOKENS = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "claude.ai", "none"})
# So many hexadecimal digits of a digest tell logins apart.
DIGEST_DIGITS = 16


class LoginDetails(msgspec.Struct, rename="camel"):
    """What `initialize` and `claude auth status` say of the login; all of it may be absent."""

    api_provider: str | None = None
    api_key_source: str | None = None
    token_source: str | None = None
    auth_method: str | None = None
    subscription_type: str | None = None
    email: str | None = None
    organization: str | None = None
    org_name: str | None = None  # the same, in the words of `auth status`


def details_of(told: Any) -> LoginDetails | None:
    """Return what the CLI told of its login, or None where that is not understood."""
    try:
        return msgspec.convert(told, LoginDetails)
    except msgspec.ValidationError:
        return None


def payer(login: LoginDetails) -> str:
    """Return `plan`, `api key`, or the name of the provider that pays."""
    provider = login.api_provider or "firstParty"
    if provider != "firstParty":
        return PROVIDERS.get(provider, provider)
    if (login.api_key_source or "none") != "none" or (login.auth_method or "").startswith("api_key"):
        return API_KEY
    token = login.token_source or "none"
    return PLAN if token in PLAN_TOKENS else f"token of {token}"


def login_digest(login: LoginDetails) -> str | None:
    """Return what tells a plan's login from others, without telling whose it is; None where the CLI names no account.

    It names none for a token in the environment. One person may have a plan of their own and one of an organization's.
    """
    if payer(login) != PLAN or not login.email:
        return None
    account = f"{login.email.casefold()}\n{login.organization or login.org_name or ''}"
    return hashlib.sha256(account.encode()).hexdigest()[:DIGEST_DIGITS]
