"""The login of this machine, as `claude` tells it without a server."""

from __future__ import annotations

import msgspec

from app.claude.cli import binary, login, payer
from app.config import Settings
from app.errors import CliFailed, ConfigError

NO_ACCOUNT = "`claude auth status` names no account, as with a token in its environment: a key cannot be bound to it"


def own_login(settings: Settings) -> str:
    """Return the digest of this machine's login. Raises ConfigError where there is none, or it has no account."""
    try:
        there, told = login.ask(binary.find(settings), settings.cli_environ)
    except CliFailed as error:
        raise ConfigError(error.message) from None
    if not there:
        raise ConfigError(f"claude is not logged in; `{binary.LOGIN}` does that")
    details = payer.details_of(msgspec.json.decode(told))
    digest = None if details is None else payer.login_digest(details)
    if digest is None:
        raise ConfigError(NO_ACCOUNT)
    return digest
