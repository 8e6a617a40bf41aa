"""One API key: a name for the log, and a digest."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets

from app.keys.terms import NO_TERMS, Terms

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
MIN_SECRET_CHARACTERS = 16
# Stands for every caller in settings that name keys, so no key has this name.
EVERYBODY = "anyone"


@dataclasses.dataclass(frozen=True)
class Key:
    """A key's name and the SHA-256 of its secret; `created` is a date in ISO form, where one is known.

    One round of a fast hash is enough: a generated secret has 256 random bits, which nobody finds by trying.
    """

    name: str
    digest: bytes = dataclasses.field(repr=False)
    created: str | None = None
    terms: Terms = dataclasses.field(default=NO_TERMS, repr=False)

    @property
    def identity(self) -> str:
        """Who holds the key: its name and a part of its digest, so that a name given again is somebody else."""
        return f"{self.name}.{self.digest.hex()[:16]}"


def generate() -> str:
    """Return a new secret with 256 random bits."""
    # Some clients look for the sk- that OpenAI's keys begin with.
    return f"sk-cmap-{secrets.token_urlsafe(32)}"


def digest(secret: str) -> bytes:
    """Return what a secret is known by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def named(name: str) -> str:
    """Return `name` if a key can have it. Raises ValueError, saying what a name is."""
    if not re.match(NAME, name) or name.lower() == EVERYBODY:
        raise ValueError(f"a name of up to 64 letters, digits, dots, dashes and underscores, other than {EVERYBODY}")
    return name


def parse(text: str) -> tuple[Key, ...]:
    """Return the keys of `name:secret` pairs, separated by commas or blanks. Raises ValueError, quoting no secret."""
    keys: list[Key] = []
    for number, pair in enumerate((part for part in re.split(r"[,\s]+", text) if part), 1):
        name, colon, secret = pair.partition(":")
        if not (colon and re.match(NAME, name)) or name.lower() == EVERYBODY:
            raise ValueError(f"pairs such as laptop:SECRET, separated by commas; pair {number} is none")
        if len(secret) < MIN_SECRET_CHARACTERS or not (secret.isascii() and secret.isprintable()):
            raise ValueError(
                f"secrets of at least {MIN_SECRET_CHARACTERS} ASCII characters; that of {name!r} is none "
                "(`openssl rand -base64 32` makes one)"
            )
        key = Key(name, digest(secret))
        if any(key.name == other.name or key.digest == other.digest for other in keys):
            raise ValueError(f"a name and a secret of its own for each; pair {number} repeats one")
        keys.append(key)
    return tuple(keys)
