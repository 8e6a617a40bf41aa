"""The errors that clients get are those that the module's table tells, and each says what it must."""

from __future__ import annotations

import re

from app import errors
from app.errors import ProxyError

ROW = re.compile(r"^( *)([A-Z]\w+) +([0-9]{3})\b", re.MULTILINE)


def descendants(kind: type[ProxyError]) -> list[type[ProxyError]]:
    """Return the errors below `kind`."""
    return [found for sub in kind.__subclasses__() for found in (sub, *descendants(sub))]


OURS = [kind for kind in descendants(ProxyError) if kind.__module__ == errors.__name__]


def test_table():
    """Each error stands there once with its status, below the one that it is a kind of."""
    told = []
    above = {0: "ProxyError"}
    for indent, name, status in ROW.findall(errors.__doc__):
        above[len(indent)] = name
        told.append((name, above[len(indent) - 4], int(status)))
    there = [(kind.__name__, kind.__bases__[0].__name__, kind.status) for kind in OURS]
    assert sorted(told) == sorted(there), set(told) ^ set(there)


def test_words():
    """Each has a type, and one that a client may tell apart has a code in small letters."""
    assert [kind.__name__ for kind in OURS if not kind.type] == []
    codes = [kind.code for kind in OURS if kind.code is not None]
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z_]+", code)] == []
