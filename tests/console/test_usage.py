"""claude-max-api usage: tables for people, JSON and CSV, with or without a server."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time

import pytest

from app.ledger.entry import Entry
from app.ledger.ledger import Ledger
from app.ledger.sqlite import SqliteLedger


@pytest.fixture
def path(home):
    (home / "state").mkdir()
    return home / "state" / "usage.db"


@pytest.fixture
def filled(path):
    """The ledger of a server that still runs."""
    ledger = Ledger(SqliteLedger(path), 30, 730)
    for number in range(3):
        ledger.note(
            Entry(
                request=str(number),
                at=time.time(),
                key="ann",
                owner="ann.1",
                model="claude-sonnet-5-5",
                client="curl",
                input_tokens=1000,
                output_tokens=100,
                cache_read_tokens=5000,
                dollars=0.25,
                unpriced=number // 2,
            )
        )
    ledger.note(Entry(request="x", at=time.time() - 3 * 86400, code="overloaded", status=503))
    ledger.read(lambda store: store.latest(0, 1))
    yield ledger
    ledger.close()


def test_table(console, filled):
    """Names, figures and their sum, in columns; what has no price is said."""
    shown = console("usage")
    assert shown.exit_code == 0
    head, ann, nobody, together, unpriced = shown.output.splitlines()
    assert head.split() == ["key", "requests", "failed", "new", "input", "cached", "input", "output", "list", "price"]
    assert ann.split() == ["ann", "3", "0", "3,000", "15,000", "300", "$0.75"]
    assert nobody.split() == ["(no", "key)", "1", "1", "0", "0", "0", "$0.00"]
    assert together.split()[:3] == ["together", "4", "1"]
    assert unpriced.startswith("1 of these requests")


@pytest.mark.parametrize("by", ["key", "model", "day", "client"])
def test_json_and_csv(console, filled, by):
    """Programs get the same figures, either way."""
    told = json.loads(console("usage", "--by", by, "--since", "1w", "--json").output)
    table = list(csv.DictReader(io.StringIO(console("usage", "--by", by, "--since", "1w", "--csv").output)))
    assert [part["name"] for part in told["data"]] == [row[by] for row in table]
    assert sum(int(row["input_tokens"]) for row in table) == told["total"]["input_tokens"] == 3000


def test_since(console, filled):
    """Only what was used since then counts."""
    assert json.loads(console("usage", "--since", "1h", "--json").output)["total"]["requests"] == 3
    assert json.loads(console("usage", "--since", "4d", "--json").output)["total"]["requests"] == 4


def test_nothing(console, path):
    """No file, or nothing in it, is said in a sentence."""
    missing = console("usage")
    assert missing.exit_code == 1
    assert "no request has been answered yet with this state folder (a demo's do not count)" in missing.output
    assert not path.exists()
    Ledger(SqliteLedger(path), 30, 730).read(lambda store: store.latest(0, 1))
    assert "Nothing was used" in console("usage").output


@pytest.mark.parametrize("damage", ["no database", "another version"])
def test_unreadable(console, path, damage):
    """A file that cannot be read is named, and left as it is."""
    if damage == "no database":
        path.write_bytes(b"no database " * 500)
    else:
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 9")
        db.close()
    before = path.read_bytes()
    shown = console("usage")
    assert shown.exit_code == 1
    assert str(path) in shown.output
    assert path.read_bytes() == before


@pytest.mark.parametrize("args", [("--since", "yesterday"), ("--by", "prompt"), ("--json", "--csv")])
def test_wrong_options(console, filled, args):
    """What cannot be asked is refused with what can be."""
    assert console("usage", *args).exit_code == 2
