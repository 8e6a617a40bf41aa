"""API keys that several servers share."""

from __future__ import annotations

import pytest
from server import until

from app.errors import ConfigError, StorageUnavailable
from app.keys.key import Key, digest
from app.keys.keyring import Keyring
from app.keys.postgres import PostgresKeys
from app.keys.terms import Terms


@pytest.fixture
def open_keys(connect):
    return lambda: PostgresKeys(connect())


def test_a_key_everywhere(open_keys):
    """A key that is made anywhere counts everywhere, its terms and its end, too, and soon."""
    here, told = open_keys(), []
    there = Keyring((), open_keys(), revoked=told.append)
    assert not there.closed
    secret = here.add("laptop", Terms(requests_per_day=5))
    key = until(lambda: there.find(secret), 10, "the key")
    assert there.closed
    assert (key.name, key.terms.requests_per_day) == ("laptop", 5)
    here.change("laptop", {"requests_per_day": 6})
    until(lambda: there.find(secret).terms.requests_per_day == 6, 10, "its terms")
    assert here.revoke("laptop") == 0
    until(lambda: there.find(secret) is None, 10, "its end")
    assert there.closed
    assert told == [key.identity]
    assert Keyring((), open_keys()).closed


def test_names(open_keys):
    """A name is given once at a time; what is not there cannot be changed or ended."""
    keys = open_keys()
    first = keys.add("laptop")
    with pytest.raises(ConfigError, match="already"):
        keys.add("laptop")
    with pytest.raises(ConfigError, match="cannot name a key"):
        keys.add("no name")
    assert keys.revoke("laptop") == 0
    assert keys.add("laptop") != first
    for change in (lambda: keys.revoke("phone"), lambda: keys.change("phone", {"personal": True})):
        with pytest.raises(ConfigError, match="no key named 'phone'"):
            change()
    until(lambda: [key.name for key in keys.read() or ()] == ["laptop"])


def test_while_the_database_is_away(engine, open_keys):
    """Keys that were known still count; of others nobody can say anything until it is back."""
    keys = open_keys()
    secret = keys.add("laptop")
    ring = Keyring([Key("given", digest("of the environment"))], keys)
    until(lambda: ring.find(secret))
    engine.stop()
    try:
        until(lambda: keys._database.away is not None, 20)
        assert ring.find(secret).name == "laptop"
        assert ring.find("of the environment").name == "given"
        with pytest.raises(StorageUnavailable) as raised:
            ring.find("another")
        assert (raised.value.status, raised.value.code) == (503, "storage_unavailable")
        assert raised.value.retry_after
        with pytest.raises(ConfigError, match="away"):
            keys.add("phone")
    finally:
        engine.start()
    until(lambda: keys._database.away is None, 20)
    assert ring.find("another") is None
    other = keys.add("phone")
    until(lambda: ring.find(other))
    assert ring.find(secret).name == "laptop"
