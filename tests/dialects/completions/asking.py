"""Requests for tests of what becomes of them."""

from __future__ import annotations

import json

import pytest

from app.dialects.completions.request import parse
from app.errors import BadRequest
from dialects.context import context


def ask(prompt="Once", **fields):
    """Return the parsed request of these fields, written as JSON."""
    return parse(json.dumps({"model": "m", "prompt": prompt, **fields}).encode(), context())


def refused(prompt="Once", **fields):
    """Return the error that these fields meet."""
    with pytest.raises(BadRequest) as caught:
        ask(prompt, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value
