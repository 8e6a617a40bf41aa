"""Schemas and answers are checked in a process of their own, which ends where a check does not."""

from __future__ import annotations

import os
import signal
import threading
import time

import psutil
import pytest
from server import command_of

from app import schema_check
from app.schema_check import CheckFailed, mismatch, problem


def children():
    """The processes that check."""
    mine = psutil.Process().children()
    return [child for child in mine if "schema_child" in command_of(child)]


def doubled(times):
    steps = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(times)}
    return {"$defs": {**steps, f"d{times}": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({}, None),
        ({"type": "object", "properties": {"a": {"pattern": r"^\p{L}+(?=!)$"}}, "x-foo": 1}, None),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}, None),
        ({"items": [{"type": "string"}]}, "items"),
        ({"properties": {"a": {"type": "strin"}}}, "properties/a/type"),
        ({"properties": {"a": {"pattern": "("}}}, "properties/a/pattern"),
        ({"$ref": "#/nowhere"}, "nowhere"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
    ],
)
def test_problem(schema, wrong):
    """A schema is fine, or it is told what is wrong with it, and where."""
    found = problem(schema)
    assert found is None if wrong is None else wrong in found


@pytest.mark.parametrize(
    ("schema", "answer", "place"),
    [
        ({"type": "object"}, b"{}", None),
        ({"properties": {"a": {"items": {"type": "string"}}}}, b'{"a": ["x", 3]}', "$.a[1]"),
        ({"type": "object"}, b"[]", "$"),
        ({"type": "object"}, b'{"a": 1' + b"0" * 5000 + b"}", None),
        # Python's `re` would take longer than the universe has.
        ({"not": {"pattern": "^(a+)+$"}}, b'"' + b"a" * 34 + b'!"', None),
    ],
)
def test_mismatch(schema, answer, place):
    """An answer satisfies a schema, or it is told where it does not."""
    assert mismatch(schema, answer) == place


def test_overdue():
    """A check that takes too long is ended, and with it the process; the next one gets another."""
    problem({})
    (before,) = children()
    began = time.monotonic()
    with pytest.raises(CheckFailed, match="too long"):
        mismatch(doubled(60), b'"x"')
    assert time.monotonic() - began < 10
    assert mismatch({"type": "object"}, b"{}") is None
    (after,) = children()
    assert after.pid != before.pid


def test_replaced():
    """A process that ended while it waited costs nobody the check."""
    problem({})
    (child,) = children()
    os.kill(child.pid, signal.SIGTERM)
    child.wait(10)
    assert problem({}) is None


def test_side_by_side():
    """An endless check does not hold up another one, and one process is left."""
    problem({})
    outcome = []

    def endless():
        try:
            mismatch(doubled(60), b'"x"')
        except CheckFailed as error:
            outcome.append(str(error))

    thread = threading.Thread(target=endless)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert problem({}) is None
    assert time.monotonic() - began < 1.5
    thread.join(10)
    assert outcome == ["takes too long to check"]
    problem({})
    assert len(children()) == 1


def test_memory():
    """A check that takes too much memory ends the process, not the machine."""
    with pytest.raises(CheckFailed):
        mismatch({"uniqueItems": True}, b"[" + b",".join(b'{"a":[%d]}' % i for i in range(3_000_000)) + b"]")


def test_end():
    """Closed, nothing is left; the next check starts anew."""
    problem({})
    schema_check.close()
    assert children() == []
    assert problem({}) is None
