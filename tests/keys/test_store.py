"""What every store of keys does with a new one."""

from __future__ import annotations

import pytest

from app.errors import ConfigError
from app.keys.key import digest
from app.keys.store import new, taken, unknown
from app.keys.terms import Terms


def test_new():
    """A key is known by the digest of its secret; each has another."""
    key, secret = new("laptop", Terms(requests_per_day=5))
    assert (key.name, key.digest, key.terms.requests_per_day) == ("laptop", digest(secret), 5)
    assert new("laptop", Terms())[1] != secret
    with pytest.raises(ConfigError, match="cannot name a key"):
        new("no name", Terms())


def test_words():
    """What is wrong with a name is said with what to do."""
    assert "key revoke laptop" in str(taken("laptop"))
    assert "the garden" in str(unknown("laptop", "the garden"))
