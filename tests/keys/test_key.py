"""Keys by name and digest, as people write them into the environment."""

from __future__ import annotations

import pytest

from app.keys.key import Key, digest, generate, parse

SECRET, OTHER = "s" * 16, "o" * 16


def test_pairs():
    """Pairs are separated by commas, blanks or line ends, and a secret may hold colons."""
    assert parse(f" a:{SECRET},\n b.2:{OTHER}:x , ") == (Key("a", digest(SECRET)), Key("b.2", digest(f"{OTHER}:x")))
    assert parse("") == ()


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f":{SECRET}",
        "a:",
        f"a:{SECRET[1:]}",
        f"a b:{SECRET}",
        f"ä:{SECRET}",
        f"{'n' * 65}:{SECRET}",
        f"a:{SECRET}ü",
        f"a:{SECRET}\x00",
        f"a:{SECRET},a:{OTHER}",
        f"a:{SECRET},b:{SECRET}",
        f"-a:{SECRET}",
    ],
)
def test_refused(text):
    """What names no key, is easily guessed, could not be sent or is there twice is refused; no secret is quoted."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert SECRET[:8] not in str(caught.value)


def test_generated():
    """Each new secret is another, long enough for its own rule, and fit for a header and a shell."""
    made = {generate() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) > 48 and secret.replace("-", "").replace("_", "").isalnum() for secret in made)
    (key,) = parse(f"a:{made.pop()}")
    assert key.name == "a"


def test_no_digest_in_repr():
    """A key that ends up in a log or a traceback shows its name only."""
    assert repr(Key("a", b"DIGEST")) == "Key(name='a', created=None)"


def test_a_name_given_again_is_another_identity():
    """Whoever gets the name of a revoked key is somebody else, and the same key is always the same."""
    first, second = (Key("laptop", digest(secret)) for secret in ("one secret of many", "another secret"))
    assert first.identity != second.identity
    assert first.identity == Key("laptop", first.digest, created="2026-01-01").identity
    assert first.digest.hex() not in first.identity
