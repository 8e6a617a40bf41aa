"""How long a prompt may be."""

from __future__ import annotations

import pytest

from app.standin import validation
from app.standin.validation import Refusal

from .bodies import image, request, user


@pytest.mark.parametrize(
    ("model", "betas", "maximum"),
    [
        ("claude-sonnet-5-5", [], 1_000_000),
        ("claude-opus-4-8", [], 1_000_000),
        ("claude-haiku-5-5", [], 1_000_000),
        ("claude-opus-4-6", [], 200_000),
        ("claude-haiku-4-5-20251001", [], 200_000),
        ("claude-sonnet-4-5", [], 200_000),
        ("claude-3-opus-20240229", [], 200_000),
        ("claude-sonnet-4-5", ["context-1m-2025-08-07"], 1_000_000),
        ("claude-sonnet-4-5[1m]", [], 1_000_000),
    ],
)
def test_prompt_too_long(model, betas, maximum):
    """At four characters a token, what a model's window holds passes and anything more is too long."""
    validation.check(request({"role": "user", "content": "x" * (4 * maximum)}, model=model), 100, betas)
    with pytest.raises(Refusal) as caught:
        validation.check(request({"role": "user", "content": "x" * (4 * maximum + 4)}, model=model), 100, betas)
    assert caught.value.message == f"prompt is too long: {maximum + 1} tokens > {maximum} maximum"


def test_pictures_do_not_count_by_their_bytes():
    """A picture of several megabytes is not a prompt that is too long."""
    validation.check(request(user(image("iVBORw0KGgoA" + "AAAA" * 1_000_000)), model="claude-haiku-4-5"), 100)
