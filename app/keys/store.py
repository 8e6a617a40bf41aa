"""What a store of API keys offers; `file` is the one of a single machine, `postgres` that of several."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from typing import Any, Protocol

from app.errors import ConfigError
from app.keys.key import Key, digest, generate, named
from app.keys.terms import NO_TERMS, Terms


class KeyStore(Protocol):
    """Keys by name, known by their digests. A store without keys is not the same as none: it lets nobody in."""

    @property
    def file(self) -> bool:
        """Whether it is a file, which one may remove."""

    @property
    def where(self) -> str:
        """Where the keys are, for people."""

    def signature(self) -> Hashable:
        """Return what changes when the keys may have changed, at once."""

    def read(self) -> tuple[Key, ...] | None:
        """Return the keys, or None if there have never been any.

        Raises ConfigError for what is not to be trusted, and StorageUnavailable where they cannot be known now.
        """

    def add(self, name: str, terms: Terms = NO_TERMS) -> str:
        """Add a key with these terms and return its secret, which is kept nowhere. Raises ConfigError."""

    def change(self, name: str, changed: Mapping[str, Any]) -> Terms:
        """Change some of a key's terms and return them all. Raises ConfigError."""

    def revoke(self, name: str) -> int:
        """Remove the key of this name; return how many are left. Raises ConfigError."""


def new(name: str, terms: Terms) -> tuple[Key, str]:
    """Return a new key and its secret. Raises ConfigError where a key cannot have that name."""
    try:
        named(name)
    except ValueError as error:
        raise ConfigError(f"{name!r} cannot name a key: it takes {error}") from None
    secret = generate()
    return Key(name, digest(secret), dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), terms), secret


def taken(name: str) -> ConfigError:
    """Return the error of a name that a key has."""
    return ConfigError(f"there is a key named {name} already; `claude-max-api key revoke {name}` ends it")


def unknown(name: str, where: str) -> ConfigError:
    """Return the error of a name that no key has."""
    return ConfigError(f"there is no key named {name!r} in {where}; `claude-max-api key list` tells")
