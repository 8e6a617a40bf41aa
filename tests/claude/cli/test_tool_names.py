"""Ids as clients get them and as the API knows them."""

from __future__ import annotations

import pytest

from app.claude.cli.tool_names import native_id, plain_id


@pytest.mark.parametrize("call_id", ["toolu_01A2b3C4d5E6f7G8h9J0kLmN", "toolu_0"])
def test_there_and_back(call_id):
    """An id of the API's own survives the way through a client that keeps only letters and digits."""
    assert plain_id(call_id).isalnum()
    assert native_id(plain_id(call_id)) == call_id
    assert native_id(call_id) == call_id


@pytest.mark.parametrize("call_id", ["call_1", "call-1", "toolubox", "x"])
def test_foreign_ids_stay(call_id):
    """An id that some other server gave is passed on as it is."""
    assert native_id(call_id) == call_id


def test_length():
    """No id is longer than clients take."""
    assert plain_id("toolu_" + "x" * 100) == "toolu" + "x" * 35
